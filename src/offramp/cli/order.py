"""A training as it was asked for: all but the seed and the place. Imports Torch."""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from offramp.bundle import Bundle, part_bytes, write
from offramp.data import Dataset, load
from offramp.system.design import Design
from offramp.system.lesson import Lesson
from offramp.system.training import checkpoint_folders, train_bundle
from offramp.train import Recipe, Watch


@dataclass(frozen=True, kw_only=True)
class Order:
    """What `offramp train` is to do, for any seed; it may travel to a worker.

    Args:
        data, data_dir, label: as `offramp.data.load` takes them.
        lesson: whom to learn from beside the labels.
        fit_batch: whether the recipe's batch is made smaller for small data.
        threads: of Torch.
    """

    data: str
    data_dir: Path | None
    label: str | None
    design: Design
    recipe: Recipe
    fit_batch: bool
    threads: int
    lesson: Lesson | None = None

    def load(self, seed: int) -> Dataset:
        """The data, split by the seed."""
        return load(self.data, data_dir=self.data_dir, label=self.label, seed=seed)

    def recipe_for(self, dataset: Dataset) -> Recipe:
        """The recipe, its batch made smaller if that is wanted."""
        batch_size = self.recipe.batch_size
        return replace(
            self.recipe, batch_size=fitting_batch(dataset, batch_size) if self.fit_batch else batch_size
        )

    def train(
        self,
        name: str,
        output: Path,
        seed: int,
        checkpoint: Path,
        *,
        overwrite: bool,
        progress: bool | Watch = True,
    ) -> dict[str, Any]:
        """Train with this seed, write the bundle; gives its summary, ready for JSON."""
        dataset = self.load(seed)
        bundle, history = train_bundle(
            name,
            dataset,
            self.design,
            self.recipe_for(dataset),
            seed=seed,
            lesson=self.lesson,
            checkpoint=checkpoint,
            threads=self.threads,
            progress=progress,
        )
        output.parent.mkdir(exist_ok=True)
        write(bundle, output, overwrite=overwrite)
        return _summary(bundle, output, history.seconds)


def fitting_batch(dataset: Dataset, batch_size: int) -> int:
    """The batch, halved until an epoch has 16 steps, where a thousand samples would make 4."""
    while batch_size > 16 and len(dataset.splits["train"]) < 16 * batch_size:
        batch_size //= 2
    return batch_size


def bundle_name(path: Path) -> str:
    """A name for the models of the bundle at `path`: its folder's, without what names cannot hold."""
    folder = path.resolve().name.removesuffix(".bundle")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder).lstrip("._-")[:100] or "model"


def discard(checkpoint: Path) -> None:
    """Delete the checkpoints of a finished run, and their folders if nothing else is in them."""
    for folder in checkpoint_folders(checkpoint):
        for file in folder.glob("checkpoint.safetensors*"):
            file.unlink()
        with suppress(OSError):  # not empty: somebody else's files stay
            folder.rmdir()


def _summary(bundle: Bundle, path: Path, seconds: float) -> dict[str, Any]:
    rule = bundle.exit_rule
    return {
        "bundle": str(path),
        "seconds": seconds,
        "validation_accuracy": bundle.training["validation_accuracy"],
        "threshold": rule.threshold,
        "calibration": dict(rule.evidence),
        "parameters": {name: part.n_parameters for name, part in bundle.parts.items()},
        "bytes": {name: part_bytes(path, name) for name in bundle.parts},
        **({"taught": bundle.training["taught"]} if "taught" in bundle.training else {}),
    }
