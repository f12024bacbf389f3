"""Whom a network learns from beside the labels. Imports Torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offramp.bundle import read
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.nn import MLP, from_parts
from offramp.train import Distillation, Recipe, Teacher, Watch, train_teacher
from offramp.train.distil import TEMPERATURE, WEIGHT


@dataclass(frozen=True)
class Taught:
    """What a training learns from, and what its bundle remembers of it (JSON values)."""

    distillation: Distillation
    record: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """Distillation to be done.

    Args:
        weight, temperature: as in `Distillation`.
        teacher: folder of a bundle; None trains the default teacher first.
    """

    weight: float = WEIGHT
    temperature: float = TEMPERATURE
    teacher: Path | None = None

    def taught(
        self,
        dataset: Dataset,
        recipe: Recipe,
        *,
        seed: int,
        checkpoint: Path | None,
        progress: bool | Watch = True,
    ) -> Taught:
        """The teacher's word on the samples that the recipe trains on.

        Args:
            checkpoint: the student's; the default teacher's is in it.

        Raises:
            BundleError, ConfigError: a teacher that is none for these samples.
        """
        told: dict[str, Any]
        if self.teacher is None:
            folder = None if checkpoint is None else teacher_folder(checkpoint)
            teacher, history = train_teacher(dataset, recipe, seed=seed, checkpoint=folder, progress=progress)
            accuracy = history.epochs[-1].tail_accuracy
            assert isinstance(teacher.model, MLP)
            told = {
                "hidden": list(teacher.model.neurons[1:-1]),
                "seconds": history.seconds,
                "validation_accuracy": accuracy,
            }
        else:
            teacher = read_teacher(self.teacher, dataset, recipe)
            told = {"bundle": self.teacher.resolve().name, "digest": teacher.digest()}
        distillation = teacher.distillation(dataset, recipe, weight=self.weight, temperature=self.temperature)
        return Taught(distillation, {"weight": self.weight, "temperature": self.temperature, "teacher": told})


def read_teacher(path: Path, dataset: Dataset, recipe: Recipe) -> Teacher:
    """The network of a bundle, if it has seen nothing that its students are measured on.

    Raises:
        BundleError: no bundle with all of its parts.
        ConfigError: other classes, or other samples in its training than in this one.
    """
    bundle = read(path)
    if bundle.classes != dataset.classes:
        raise ConfigError(
            f"{path}: tells {len(bundle.classes)} classes apart that are not the {len(dataset.classes)} of"
            f" {dataset.name}; take a teacher of the same data"
        )
    if bundle.training.get("data_digest") != dataset.digest("train") or (
        _saw_everything(bundle.training) and not recipe.train_on_everything
    ):
        raise ConfigError(
            f"{path}: was trained on other samples than its students would be, and may know those that they"
            " are measured on; train it on the same data with the same --seed, and not by the recipe paper"
        )
    assert bundle.head is not None
    assert bundle.exit is not None
    assert bundle.tail is not None
    return Teacher(from_parts(bundle.head, bundle.exit, bundle.tail), bundle.preprocessing)


def _saw_everything(training: dict[str, Any]) -> bool:
    recipe = training.get("recipe")
    return isinstance(recipe, dict) and bool(recipe.get("train_on_everything"))


def teacher_folder(checkpoint: Path) -> Path:
    """Where the default teacher of a run is kept while the run goes on."""
    return checkpoint / "teacher"
