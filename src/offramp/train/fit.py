# mypy: allow-untyped-calls
# (Torch leaves Tensor.split and Tensor.backward without types.)
"""The training loop."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.errors import ConfigError, InputError
from offramp.nn import SparseLinear
from offramp.train import checkpoint as checkpoints
from offramp.train.checkpoint import Checkpoint, digest
from offramp.train.evaluate import evaluate
from offramp.train.history import Epoch, History
from offramp.train.initialise import initialise as draw_weights
from offramp.train.progress import ProgressBar
from offramp.train.recipe import Recipe

_Split = Literal["train", "validation", "calibration"]
_EVERYTHING: tuple[_Split, ...] = ("train", "validation", "calibration")
_PREPARED_AT_ONCE = 4096  # samples


def fit(
    model: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    *,
    preprocessing: Preprocessing,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    checkpoint_every_s: float = 30.0,
    checkpoint_every_steps: int | None = None,
    initialise: bool = True,
    progress: bool | Callable[[Epoch], None] = True,
) -> History:
    """Train the model in place and give its history.

    The arguments decide the run: first weights and the order of the samples derive from `seed`, and Torch's
    global generator is left as it was. Interrupted and called again with the same arguments and `checkpoint`,
    on the same machine with as many threads, it ends with the same bits. The test split is never read.

    Args:
        model: gives scores (batch, n_classes), or (exit scores, tail scores) as `SplitModel` does.
        dataset: trains on "train" (and more, see `Recipe.train_on_everything`), is measured on "validation".
        preprocessing: from raw samples to the model's inputs.
        checkpoint: folder that the run is saved to after every epoch, `checkpoint_every_s` seconds and, if
            given, `checkpoint_every_steps` steps; a run found there goes on, a finished one returns at once.
        initialise: draw first weights by the recipe; False trains on from those the model has.
        progress: True shows a bar if stderr is a terminal; a function is called after each epoch instead.

    Raises:
        ConfigError: the model does not fit the data, the loss is no longer finite, or the checkpoint is of
            another run.
        DataError: a damaged checkpoint; data the preprocessing cannot take.
    """
    if seed < 0:
        raise ConfigError(f"seed={seed} must be 0 or more")
    folder = None if checkpoint is None else Path(checkpoint)
    splits: tuple[_Split, ...] = _EVERYTHING if recipe.train_on_everything else ("train",)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        identity: dict[str, Any] = {}
        saved = None
        if folder is not None:
            identity = _identity(model, dataset, splits, recipe, preprocessing, seed, initialise)
            saved = checkpoints.load(folder, identity)
        if initialise and saved is None:
            draw_weights(model, recipe)
        run = _Run(model, recipe, seed)
        if saved is not None:
            run.restore(saved)
        if len(run.epochs) < recipe.epochs:
            train = _prepared(dataset, splits, preprocessing)
            validation = _prepared(dataset, ("validation",), preprocessing)
            _check_scores(model, validation[0][:1], len(dataset.classes))
            keeper = _Keeper(folder, identity, checkpoint_every_s, checkpoint_every_steps)
            _train(run, train, validation, keeper, progress)
    return run.history()


@dataclass
class _Run:
    """Everything that changes while training, and its way into a checkpoint and back."""

    model: nn.Module
    recipe: Recipe
    seed: int
    batch: int = 0  # batches done in the current epoch
    loss_sum: float = 0.0  # over the samples of these batches
    seconds: float = 0.0  # spent on them
    epochs: list[Epoch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        if not self.parameters:
            raise ConfigError("no parameter of the model requires a gradient; unfreeze what is to be trained")
        self.optimizer = torch.optim.Adam(self.parameters, lr=self.recipe.learning_rate, fused=True)

    def history(self) -> History:
        return History(self.recipe.name, self.seed, tuple(self.epochs))

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


@dataclass
class _Keeper:
    """Saves a run when it is due."""

    folder: Path | None
    identity: Mapping[str, Any]
    every_s: float
    every_steps: int | None

    def __post_init__(self) -> None:
        self._last_s = time.monotonic()

    def after_step(self, run: _Run) -> None:
        due = time.monotonic() - self._last_s >= self.every_s
        if due or (self.every_steps and run.batch % self.every_steps == 0):
            self.save(run)

    def save(self, run: _Run) -> None:
        if self.folder is not None:
            checkpoints.save(self.folder, run.checkpoint(self.identity))
        self._last_s = time.monotonic()


_Samples = tuple[Tensor, Tensor]  # features (n, n_features), labels (n,)


def _train(
    run: _Run,
    train: _Samples,
    validation: _Samples,
    keeper: _Keeper,
    progress: bool | Callable[[Epoch], None],
) -> None:
    n_steps = run.recipe.epochs * math.ceil(len(train[1]) / run.recipe.batch_size)
    run.model.train()
    with ProgressBar(n_steps=n_steps, shown=progress is True) as bar:
        while len(run.epochs) < run.recipe.epochs:
            started = time.monotonic() - run.seconds
            learning_rate = _train_epoch(run, train, keeper, bar, started)
            exit_accuracy, tail_accuracy = evaluate(run.model, *validation)
            epoch = Epoch(
                epoch=len(run.epochs) + 1,
                train_loss=run.loss_sum / len(train[1]),
                exit_accuracy=exit_accuracy,
                tail_accuracy=tail_accuracy,
                learning_rate=learning_rate,
                seconds=time.monotonic() - started,
            )
            run.epochs.append(epoch)
            run.batch, run.loss_sum, run.seconds = 0, 0.0, 0.0
            keeper.save(run)
            bar.epoch(epoch)
            if callable(progress):
                progress(epoch)


def _train_epoch(run: _Run, train: _Samples, keeper: _Keeper, bar: ProgressBar, started: float) -> float:
    """Do the batches of the current epoch that are left; gives the last learning rate."""
    x, y = train
    recipe, optimizer = run.recipe, run.optimizer
    group = optimizer.param_groups[0]
    n_batches = math.ceil(len(y) / recipe.batch_size)
    n_steps = recipe.epochs * n_batches
    # Seeded by epoch, so a checkpoint need not keep the order.
    order = torch.from_numpy(np.random.default_rng((run.seed, len(run.epochs))).permutation(len(y)))
    for chosen in order.split(recipe.batch_size)[run.batch :]:
        step = len(run.epochs) * n_batches + run.batch
        group["lr"] = recipe.learning_rate_at(step, n_steps=n_steps)
        loss = _loss(run.model(x.index_select(0, chosen)), y.index_select(0, chosen), recipe.exit_weight)
        value = loss.item()
        if not math.isfinite(value):
            raise ConfigError(
                f"the loss became {value} in epoch {len(run.epochs) + 1}, batch {run.batch + 1}, at learning "
                f"rate {group['lr']:.3g}; use a smaller learning_rate, and look for huge values in the data"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.batch += 1
        run.loss_sum += value * len(chosen)
        run.seconds = time.monotonic() - started
        keeper.after_step(run)
        bar.step(step + 1, value)
    return recipe.learning_rate_at((len(run.epochs) + 1) * n_batches - 1, n_steps=n_steps)


def _loss(output: Tensor | tuple[Tensor, Tensor], labels: Tensor, exit_weight: float) -> Tensor:
    """Mean cross-entropy of the scores, the exit's added with its weight."""
    if isinstance(output, Tensor):
        return cross_entropy(output, labels)
    exit_scores, tail_scores = output
    return cross_entropy(tail_scores, labels) + exit_weight * cross_entropy(exit_scores, labels)


def _prepared(dataset: Dataset, splits: tuple[_Split, ...], preprocessing: Preprocessing) -> _Samples:
    """Preprocessed samples of some splits as one tensor, made once."""
    raws, labels = zip(*(dataset.split(name) for name in splits), strict=True)
    y = torch.from_numpy(np.concatenate(labels))
    x = torch.empty(len(y), preprocessing.n_features)
    start = 0
    for raw in raws:
        for first in range(0, len(raw), _PREPARED_AT_ONCE):
            features = preprocessing(raw[first : first + _PREPARED_AT_ONCE])
            x[start : start + len(features)] = torch.from_numpy(features)
            start += len(features)
    return x, y


def _check_scores(model: nn.Module, sample: Tensor, n_classes: int) -> None:
    """Refuse a model that does not make a score for each class of the features, before any work is done."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            output = model(sample)
    except (RuntimeError, InputError) as error:
        raise ConfigError(
            f"the model does not take the {sample.shape[1]} features that the preprocessing gives: {error}; "
            "build it for this width, or pad the features to the model's"
        ) from error
    finally:
        model.train(was_training)
    outputs = output if isinstance(output, tuple) else (output,)
    shapes = [tuple(scores.shape) for scores in outputs]
    if len(shapes) not in (1, 2) or set(shapes) != {(1, n_classes)}:
        raise ConfigError(
            f"for one sample the model gives {shapes}, {n_classes} classes need (1, {n_classes}), once or as "
            "(exit scores, tail scores); give its last layers that width"
        )


def _identity(
    model: nn.Module,
    dataset: Dataset,
    splits: tuple[_Split, ...],
    recipe: Recipe,
    preprocessing: Preprocessing,
    seed: int,
    initialise: bool,
) -> dict[str, Any]:
    """What must be the same for a run to go on, as JSON values."""
    state = model.state_dict()
    patterns = [layer.pattern.digest() for layer in model.modules() if isinstance(layer, SparseLinear)]
    forms = [f"{name} {value.dtype} {tuple(value.shape)}" for name, value in state.items()]
    data = [dataset.digest(name) for name in dict.fromkeys((*splits, "validation"))]
    return {
        "model": digest("\n".join([repr(model), *patterns, *forms]), {}),
        "first_weights": "by the recipe" if initialise else digest("", state),
        "data": digest("\n".join(data), {}),
        "seed": seed,
        **{f"recipe.{name}": value for name, value in asdict(recipe).items()},
        **{f"preprocessing.{name}": v for name, v in msgspec.to_builtins(preprocessing).items()},
    }
