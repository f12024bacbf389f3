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
from offramp.train.adam import AdamState
from offramp.train.checkpoint import Checkpoint, digest
from offramp.train.history import Epoch, History
from offramp.train.recipe import Recipe

logger = logging.getLogger(__name__)

EPOCHS_EVERY_S = 1.0  # small networks do a hundred epochs in this time, and saving lasts longer than one


@dataclass
class Run:
    """Everything that changes while training, and its way into a checkpoint and back."""

    model: nn.Module
    recipe: Recipe
    seed: int
    fused: bool  # whether it takes the native step
    batch: int = 0  # batches done in the current epoch
    loss_sum: float = 0.0  # over the samples of these batches
    seconds: float = 0.0  # spent on them
    epochs: list[Epoch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        if not self.parameters:
            raise ConfigError("no parameter of the model requires a gradient; unfreeze what is to be trained")
        lr = self.recipe.learning_rate
        self.optimizer = (
            AdamState(self.parameters, lr=lr)
            if self.fused
            else torch.optim.Adam(self.parameters, lr=lr, fused=True)
        )

    def history(self) -> History:
        return History(self.recipe.name, self.seed, self.fused, tuple(self.epochs))

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
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": adam})
        torch.set_rng_state(saved.tensors["random"])
        self.batch = saved.progress["batch"]
        self.loss_sum = saved.progress["loss_sum"]
        self.seconds = saved.progress["seconds"]
        self.epochs = [Epoch(**epoch) for epoch in saved.progress["epochs"]]
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
    fused: bool,
) -> dict[str, Any]:
    """What must be the same for a run to go on, as JSON values."""
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
        "fused": fused,
        **{f"recipe.{name}": value for name, value in asdict(recipe).items()},
        **{f"preprocessing.{name}": v for name, v in msgspec.to_builtins(preprocessing).items()},
    }
