"""The rule that decides, sample by sample, whether the exit answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError
from offramp.exits.confidence import entropy, learned, margin, max_softmax
from offramp.exits.profile import Profile

_SOFTMAX_CRITERIA = {"max_softmax": max_softmax, "entropy": entropy, "margin": margin}
CRITERIA = (*_SOFTMAX_CRITERIA, "learned")
NEVER = 2.0  # no confidence reaches it; unlike infinity it can be written as JSON


def check_criterion(name: str) -> None:
    """Raise ConfigError unless a criterion has this name."""
    if name not in CRITERIA:
        raise ConfigError(f"unknown exit criterion {name!r}; use one of {', '.join(CRITERIA)}")


@dataclass(frozen=True)
class ExitRule:
    """Sure when the confidence is at least `threshold`.

    Args:
        threshold: 0 or more; 0 always exits, anything above 1 never does.
        criterion: what confidence means, one of CRITERIA.
        evidence: how the threshold was chosen and on what (JSON values only), for whoever reads the bundle.
        temperature: what scores are divided by, above 0; `fit_temperature` finds it.
        weights: for `learned` alone, one number for each class and a constant; `fit_learned` finds them.
        profile: confidences of calibration samples, for a `DriftWatch`.

    Raises:
        ConfigError: a threshold, criterion, temperature or weights that cannot be.
    """

    threshold: float
    criterion: str = "max_softmax"
    evidence: Mapping[str, object] = field(default_factory=dict)
    _: KW_ONLY
    temperature: float = 1.0
    weights: tuple[float, ...] = ()
    profile: Profile | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(self.weights))  # from JSON comes a list
        if not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise ConfigError(
                f"exit threshold {self.threshold}; use a confidence in [0, 1], or {NEVER} to never exit"
            )
        check_criterion(self.criterion)
        if not isinstance(self.evidence, Mapping):
            raise ConfigError(f"evidence {self.evidence!r}; give a mapping, and `temperature` by its name")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"exit temperature {self.temperature}; use a number above 0, 1 to leave scores alone"
            )
        self._check_weights()

    def _check_weights(self) -> None:
        if self.criterion != "learned" and self.weights:
            raise ConfigError(
                f"{len(self.weights)} weights for the criterion {self.criterion}; only learned has weights"
            )
        if self.criterion == "learned" and len(self.weights) < 2:
            raise ConfigError(
                f"{len(self.weights)} weights for the criterion learned; give one for each class and a"
                " constant, as fit_learned does"
            )
        if not all(math.isfinite(weight) for weight in self.weights):
            raise ConfigError(f"weights of the criterion learned hold {self.weights}; they are finite")

    def confidence(self, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """How sure the exit is of each row of scores (N, n_classes): (N,) in [0, 1].

        A row that holds NaN or infinity has the confidence NaN.

        Raises:
            InputError: scores that are no matrix, or of another number of classes than the weights.
        """
        if self.criterion == "learned":
            return learned(scores, self.temperature, self.weights)
        return _SOFTMAX_CRITERIA[self.criterion](scores, self.temperature)

    def sure(self, scores: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which rows of scores (N, n_classes) the exit may answer: (N,) booleans. NaN is never sure."""
        return self.confidence(scores) >= self.threshold
