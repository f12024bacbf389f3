# mypy: allow-untyped-calls
# (Torch leaves Tensor.split without types.)
"""The training loop."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.errors import ConfigError, InputError
from offramp.nn import SplitModel
from offramp.train import checkpoint as checkpoints
from offramp.train.distil import Distillation
from offramp.train.evaluate import evaluate
from offramp.train.history import Epoch, History
from offramp.train.initialise import initialise as draw_weights
from offramp.train.progress import EachEpoch, ProgressBar, Watch
from offramp.train.recipe import Recipe
from offramp.train.run import Keeper, Run, run_identity
from offramp.train.samples import Pair, Samples
from offramp.train.stages import Lesson, TakeStep, stages

Progress = bool | Callable[[Epoch], None] | Watch


def fit(
    model: nn.Module,
    dataset: Dataset | Samples,
    recipe: Recipe,
    *,
    preprocessing: Preprocessing,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    checkpoint_every_s: float = 30.0,
    checkpoint_every_steps: int | None = None,
    distillation: Distillation | None = None,
    initialise: bool = True,
    fused: bool = True,
    progress: Progress = True,
    before_epoch: Callable[[Tensor], None] | None = None,
) -> History:
    """Train the model in place and give its history.

    The arguments decide the run: first weights and the order of the samples derive from `seed`, and Torch's
    global generator is left as it was. Interrupted and called again with the same arguments and `checkpoint`,
    on the same machine with as many threads, it ends with the same bits. The test split is never read.

    Args:
        model: gives scores (batch, n_classes), (exit scores, tail scores), or what a `SplitModel` gives.
        dataset: trains on "train" (and more, see `Recipe.train_on_everything`), is measured on "validation".
            As `Samples` it is preprocessed once for several calls.
        preprocessing: from raw samples to the model's inputs.
        checkpoint: folder that the run is saved to after epochs (the first, the last, and those a second or
            more after the last time), every `checkpoint_every_s` seconds and, if given,
            `checkpoint_every_steps` steps; a run found there goes on, a finished one returns at once.
        distillation: a teacher's word, from which exit and tail learn beside the labels.
        initialise: draw first weights by the recipe; False trains on from those the model has.
        fused: take the native training step where the model qualifies for it (chains of sparse and dense
            layers with ReLU) and gains by it; False always takes Torch's autograd, as do inner exits and
            self-distillation where they are trained with the rest. The history says which it was.
        progress: True shows a bar if stderr is a terminal; a function is called after each epoch instead, a
            `Watch` is told of every step.
        before_epoch: called with the preprocessed training samples (n, n_features) before each epoch in which
            more than exits is trained. What it changes must follow from the model's `state_dict` and be in
            it, or a resumed run ends otherwise.

    Raises:
        ConfigError: the model or the teacher's scores do not fit the data, the model is not on the CPU, the
            loss is no longer finite, or the checkpoint is of another run, as one with another teacher is.
        DataError: a damaged checkpoint; data the preprocessing cannot take.
    """
    if seed < 0:
        raise ConfigError(f"seed={seed} must be 0 or more")
    _check_on_cpu(model)
    folder = None if checkpoint is None else Path(checkpoint)
    samples = dataset if isinstance(dataset, Samples) else Samples(dataset)
    dataset = samples.dataset
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        planned = stages(model, recipe, fused=fused)
        identity: dict[str, Any] = {}
        saved = None
        if folder is not None:
            natively = tuple(stage.fused for stage in planned)
            identity = run_identity(model, dataset, recipe, preprocessing, seed, initialise, natively)
            identity |= {} if distillation is None else distillation.identity()
            saved = checkpoints.load(folder, identity)
        if initialise and saved is None:
            draw_weights(model, recipe)
        run = Run(model, recipe, seed, planned)
        if saved is not None:
            run.restore(saved)
        if len(run.epochs) < recipe.epochs:
            train = samples.of(recipe.splits, preprocessing)
            validation = samples.of(("validation",), preprocessing)
            _check_scores(model, recipe, validation[0][:1], len(dataset.classes))
            if distillation is not None:
                x, y = train
                train = x, torch.from_numpy(distillation.targets(y.numpy(), n_classes=len(dataset.classes)))
            keeper = Keeper(folder, identity, checkpoint_every_s, checkpoint_every_steps)
            _train(run, train, validation, keeper, _watch(progress), before_epoch)
    return run.history()


def _check_on_cpu(model: nn.Module) -> None:
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    if elsewhere := sorted(str(device) for device in devices if device.type != "cpu"):
        raise ConfigError(
            f"the model is on {', '.join(elsewhere)}; fit trains on the CPU: move it with .cpu(), or train "
            "it in a loop of your own, since its layers compute on every device"
        )


def _watch(progress: Progress) -> Watch:
    if isinstance(progress, Watch):
        return progress
    return EachEpoch(progress) if callable(progress) else ProgressBar(shown=progress)


def _train(
    run: Run,
    train: Lesson,
    validation: Pair,
    keeper: Keeper,
    watch: Watch,
    before_epoch: Callable[[Tensor], None] | None,
) -> None:
    n_samples = len(train[1])
    n_batches = math.ceil(n_samples / run.recipe.batch_size)
    run.model.train()
    n_done = len(run.epochs) * n_batches + run.batch
    watch.begin(n_done=n_done, n_steps=run.recipe.epochs * n_batches, fused=run.fused)
    try:
        while len(run.epochs) < run.recipe.epochs:
            stage = run.stage
            take_step = stage.steps(run.optimizer, train)
            while run.stage is stage and len(run.epochs) < run.recipe.epochs:
                started = time.monotonic() - run.seconds
                if before_epoch is not None and run.batch == 0 and stage.phase != "exits":
                    before_epoch(train[0])
                learning_rate = _train_epoch(run, take_step, n_samples, keeper, watch, started)
                accuracies = evaluate(run.model, *validation)
                epoch = Epoch(
                    epoch=len(run.epochs) + 1,
                    train_loss=run.loss_sum / n_samples,
                    exit_accuracy=accuracies.exit,
                    tail_accuracy=accuracies.tail,
                    learning_rate=learning_rate,
                    seconds=time.monotonic() - started,
                    phase=stage.phase,
                    inner_accuracies=accuracies.inner,
                )
                run.end_epoch(epoch)
                keeper.after_epoch(run)
                watch.epoch(epoch)
    finally:
        watch.end()


def _train_epoch(
    run: Run, take_step: TakeStep, n_samples: int, keeper: Keeper, watch: Watch, started: float
) -> float:
    """Do the batches of the current epoch that are left; gives the last learning rate."""
    recipe, stage = run.recipe, run.stage
    group = run.optimizer.param_groups[0]
    n_batches = math.ceil(n_samples / recipe.batch_size)
    n_steps = stage.n_epochs * n_batches
    n_before = (len(run.epochs) - stage.first) * n_batches  # in this stage
    # Seeded by epoch, so a checkpoint need not keep the order.
    order = torch.from_numpy(np.random.default_rng((run.seed, len(run.epochs))).permutation(n_samples))
    for chosen in order.split(recipe.batch_size)[run.batch :]:
        group["lr"] = recipe.learning_rate_at(n_before + run.batch, n_steps=n_steps)
        value = take_step(chosen)
        if not math.isfinite(value):
            raise ConfigError(
                f"the loss became {value} in epoch {len(run.epochs) + 1}, batch {run.batch + 1}, at learning "
                f"rate {group['lr']:.3g}; use a smaller learning_rate, and look for huge values in the data"
            )
        run.batch += 1
        run.loss_sum += value * len(chosen)
        run.seconds = time.monotonic() - started
        keeper.after_step(run)
        try:
            watch.step(len(run.epochs) * n_batches + run.batch, value)
        except BaseException:  # whatever it is: between two steps nothing is half done
            keeper.save(run)
            raise
    return recipe.learning_rate_at(n_before + n_batches - 1, n_steps=n_steps)


def _check_scores(model: nn.Module, recipe: Recipe, sample: Tensor, n_classes: int) -> None:
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
    allowed = (len(shapes),) if isinstance(model, SplitModel) else (1, 2)
    if len(shapes) not in allowed or set(shapes) != {(1, n_classes)}:
        raise ConfigError(
            f"for one sample the model gives {shapes}, {n_classes} classes need (1, {n_classes}), once or as "
            "(exit scores, tail scores); give its last layers that width"
        )
    if len(shapes) == 2 and recipe.exits != "joint" and not isinstance(model, SplitModel):
        raise ConfigError(
            f"exits={recipe.exits!r} trains parts one after the other, and a {type(model).__name__} has none"
            " that are known; make it a SplitModel, or use exits='joint'"
        )
