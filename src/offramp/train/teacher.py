"""The network that others learn from."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset, preprocessing_for
from offramp.nn import MLP
from offramp.train.checkpoint import digest
from offramp.train.distil import TEMPERATURE, WEIGHT, Distillation, Float32Array
from offramp.train.fit import fit
from offramp.train.history import History
from offramp.train.many import Job
from offramp.train.progress import Watch
from offramp.train.recipe import Recipe
from offramp.train.threads import torch_threads

TEACHER_HIDDEN = (512, 256)
TEACHER_EPOCHS = 20
_BATCH = 2048


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network and what its inputs are made by.

    Args:
        model: gives scores, or those of exits and then the tail's, of which the tail's count.
    """

    model: nn.Module
    preprocessing: Preprocessing

    def distillation(
        self, dataset: Dataset, recipe: Recipe, *, weight: float = WEIGHT, temperature: float = TEMPERATURE
    ) -> Distillation:
        """Its word on the samples that the recipe trains on.

        Raises:
            DataError: samples that its preprocessing cannot take.
        """
        return Distillation(scores=self.scores(dataset, recipe), weight=weight, temperature=temperature)

    def scores(self, dataset: Dataset, recipe: Recipe) -> Float32Array:
        """Of the samples that the recipe trains on, (n, n_classes), in their order.

        On one thread, so that the bits do not depend on how many there are.
        """
        raw = np.concatenate([dataset.split(name)[0] for name in recipe.splits])
        was_training = self.model.training
        self.model.eval()
        try:
            with torch_threads(1), torch.no_grad():
                parts = [
                    self._tail(torch.from_numpy(self.preprocessing(raw[first : first + _BATCH])))
                    for first in range(0, len(raw), _BATCH)
                ]
        finally:
            self.model.train(was_training)
        return torch.cat(parts).numpy()

    def digest(self) -> str:
        """SHA-256 (hex) of its weights."""
        return digest("", self.model.state_dict())

    def _tail(self, features: Tensor) -> Tensor:
        output = self.model(features)
        scores: Tensor = output if isinstance(output, Tensor) else output[-1]
        return scores.float()


def teacher_job(
    dataset: Dataset, recipe: Recipe, *, name: str = "teacher", seed: int = 0, checkpoint: Path | None = None
) -> Job:
    """The training of the teacher that is taken where none is given.

    A dense network with hidden layers of 512 and 256 neurons on the samples as they are, trained by the
    recipe for 20 epochs on the same splits: for MNIST 25 s on one core.

    Args:
        checkpoint: kept, it gives the teacher back at once.
    """
    preprocessing = preprocessing_for(dataset)
    return Job(
        name=name,
        model=MLP((preprocessing.n_features, *TEACHER_HIDDEN, len(dataset.classes))),
        recipe=replace(recipe, epochs=TEACHER_EPOCHS, exits="joint", self_distillation=0.0),
        preprocessing=preprocessing,
        seed=seed,
        checkpoint=checkpoint,
    )


def train_teacher(
    dataset: Dataset,
    recipe: Recipe,
    *,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: bool | Watch = True,
) -> tuple[Teacher, History]:
    """The teacher of `teacher_job`, trained here, and how that went."""
    job = teacher_job(dataset, recipe, seed=seed, checkpoint=checkpoint)
    model = job.model
    assert isinstance(model, MLP)
    history = fit(
        model,
        dataset,
        job.recipe,
        preprocessing=job.preprocessing,
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
    )
    return Teacher(model, job.preprocessing), history
