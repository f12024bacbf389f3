"""A run's state, its way into a checkpoint and back, and what makes it the same run."""

import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.nn import SparseLinear
from offramp.train import checkpoint as checkpoints
from offramp.train.checkpoint import Checkpoint, digest
from offramp.train.history import Epoch, History
from offramp.train.recipe import Recipe
from offramp.train.stages import Stage

logger = logging.getLogger(__name__)

EPOCHS_EVERY_S = 1.0  # small networks do a hundred epochs in this time, and saving lasts longer than one


@dataclass
class Run:
    """Everything that changes while training, and its way into a checkpoint and back."""

    model: nn.Module
    recipe: Recipe
    seed: int
    stages: tuple[Stage, ...]
    batch: int = 0  # batches done in the current epoch
    loss_sum: float = 0.0  # over the samples of these batches
    seconds: float = 0.0  # spent on them
    epochs: list[Epoch] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not all(stage.parameters for stage in self.stages):
            raise ConfigError("no parameter of the model requires a gradient; unfreeze what is to be trained")
        self._begin()

    @property
    def fused(self) -> bool:
        """Whether it takes the native step all the time."""
        return all(stage.fused for stage in self.stages)

    def end_epoch(self, epoch: Epoch) -> None:
        """Note it; the next stage, if one begins now, starts with a fresh optimizer."""
        self.epochs.append(epoch)
        self.batch, self.loss_sum, self.seconds = 0, 0.0, 0.0
        if self._current() is not self.stage:
            self._begin()

    def history(self) -> History:
        return History(self.recipe.name, self.seed, self.fused, tuple(self.epochs))

    def _begin(self) -> None:
        self.stage = self._current()
        self.optimizer = self.stage.optimizer()

    def _current(self) -> Stage:
        """The stage of the next epoch; the last one, when all are done."""
        begun = [stage for stage in self.stages if stage.first <= len(self.epochs)]
        return begun[-1]

    def checkpoint(self, identity: Mapping[str, Any]) -> Checkpoint:
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
        tensors["random"] = torch.get_rng_state()
        progress = {
            "batch": self.batch,
            "loss_sum": self.loss_sum,
            "seconds": self.seconds,
            "epochs": [asdict(epoch) for epoch in self.epochs],
        }
        return Checkpoint(identity, progress, tensors)

    def restore(self, saved: Checkpoint) -> None:
        model: dict[str, Tensor] = {}
        adam: dict[int, dict[str, Tensor]] = {}
        for name, value in saved.tensors.items():
            if name.startswith("model."):
                model[name.removeprefix("model.")] = value
            elif name.startswith("adam."):
                _, index, state = name.split(".")
                adam.setdefault(int(index), {})[state] = value
        self.epochs = [Epoch(**epoch) for epoch in saved.progress["epochs"]]
        self._begin()
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": adam})
        torch.set_rng_state(saved.tensors["random"])
        self.batch = saved.progress["batch"]
        self.loss_sum = saved.progress["loss_sum"]
        self.seconds = saved.progress["seconds"]
        logger.info("goes on after %d of %d epochs", len(self.epochs), self.recipe.epochs)


@dataclass
class Keeper:
    """Saves a run when it is due."""

    folder: Path | None
    identity: Mapping[str, Any]
    every_s: float
    every_steps: int | None

    def __post_init__(self) -> None:
        self._last_s = time.monotonic()

    def after_step(self, run: Run) -> None:
        due = time.monotonic() - self._last_s >= self.every_s
        if due or (self.every_steps and run.batch % self.every_steps == 0):
            self.save(run)

    def after_epoch(self, run: Run) -> None:
        n_epochs = len(run.epochs)  # the first shows at once whether the folder can be written
        if n_epochs in (1, run.recipe.epochs) or time.monotonic() - self._last_s >= EPOCHS_EVERY_S:
            self.save(run)

    def save(self, run: Run) -> None:
        if self.folder is not None:
            checkpoints.save(self.folder, run.checkpoint(self.identity))
        self._last_s = time.monotonic()


def run_identity(
    model: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    preprocessing: Preprocessing,
    seed: int,
    initialise: bool,
    fused: tuple[bool, ...],
) -> dict[str, Any]:
    """What must be the same for a run to go on, as JSON values.

    Args:
        fused: whether each stage takes the native step.
    """
    state = model.state_dict()
    patterns = [layer.pattern.digest() for layer in model.modules() if isinstance(layer, SparseLinear)]
    forms = [f"{name} {value.dtype} {tuple(value.shape)}" for name, value in state.items()]
    data = [dataset.digest(name) for name in dict.fromkeys((*recipe.splits, "validation"))]
    return {
        "seed": seed,  # first, since a changed one changes patterns and splits too
        "threads": torch.get_num_threads(),  # sums are taken in another order with more of them
        "model": digest("\n".join([repr(model), *patterns, *forms]), {}),
        "first_weights": "by the recipe" if initialise else digest("", state),
        "data": digest("\n".join(data), {}),
        "fused": fused[0] if len(fused) == 1 else list(fused),
        **{f"recipe.{name}": value for name, value in recipe.to_dict().items()},
        **{f"preprocessing.{name}": v for name, v in msgspec.to_builtins(preprocessing).items()},
    }
