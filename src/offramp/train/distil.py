"""Knowledge distillation: a large network's word as part of what a small one is to say."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError
from offramp.exits import softmax

Float32Array = npt.NDArray[np.float32]

WEIGHT, TEMPERATURE = 0.5, 4.0
"""Where nothing else is asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Distillation:
    """Soft targets of the training samples: (1 - weight) * one-hot + weight * softmax(scores / temperature).

    Exit and tail learn from them alike, by cross-entropy in place of that with the labels. The temperature is
    the teacher's alone: the student's softmax stays the plain one, so a step computes one softmax, the loss
    is one cross-entropy, and the student's confidence, which its exit's threshold reads, is that of targets
    which are mostly sure. Hinton et al. give the student the same temperature in a second loss beside that of
    the labels.

    Args:
        scores: the teacher's, (n, n_classes) float32, of the samples that are trained on and in their order;
            `Teacher.distillation` makes them.
        weight: the teacher's share of a target, above 0 and at most 1.
        temperature: above 0; the higher, the more even the teacher's word.

    Raises:
        ConfigError: a weight or temperature outside its range; scores that are no finite matrix.

    Source: Hinton, Vinyals, Dean, Distilling the knowledge in a neural network, 2015; arXiv:1503.02531.
    """

    scores: Float32Array
    weight: float = WEIGHT
    temperature: float = TEMPERATURE

    def __post_init__(self) -> None:
        if not 0 < self.weight <= 1:
            raise ConfigError(f"weight={self.weight} of a teacher must be above 0 and at most 1, as in 0.5")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(f"temperature={self.temperature} must be finite and above 0, as in 4")
        if self.scores.ndim != 2 or not np.isfinite(self.scores).all():
            raise ConfigError(
                f"a teacher's scores of shape {self.scores.shape} must be a matrix of finite numbers;"
                " give (n_samples, n_classes)"
            )

    def targets(self, labels: npt.NDArray[np.int64], *, n_classes: int) -> Float32Array:
        """The share of every class for each sample, (n, n_classes): 1 in all.

        Raises:
            ConfigError: the teacher spoke of other samples or other classes.
        """
        if self.scores.shape != (len(labels), n_classes):
            raise ConfigError(
                f"the teacher's scores are {self.scores.shape}, the samples to train on need"
                f" {(len(labels), n_classes)}; make them by Teacher.distillation for this data and recipe"
            )
        shares = self.weight * softmax(self.scores / np.float32(self.temperature))
        shares[np.arange(len(labels)), labels] += 1 - self.weight
        return shares.astype(np.float32)

    def identity(self) -> dict[str, Any]:
        """What a run must have in common with an earlier one to go on, as JSON values."""
        teacher = hashlib.sha256(f"{self.scores.shape}".encode() + self.scores.tobytes()).hexdigest()
        return {"teacher": teacher, "teacher_weight": self.weight, "temperature": self.temperature}
