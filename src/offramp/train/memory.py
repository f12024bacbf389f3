"""The memory that training a split network takes, measured."""

import ctypes
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from offramp.nn import MLP, SparseLinear, SplitModel, split_midpoint
from offramp.train.initialise import initialise
from offramp.train.pool import Work, run_each
from offramp.train.progress import Watch
from offramp.train.recipe import Recipe
from offramp.train.stages import stages

Build = Callable[[], SplitModel]

_N_STEPS = 3  # the first makes what is kept from step to step
_STATUS, _CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_training_bytes(
    builds: Mapping[str, Build], recipe: Recipe, *, threads: int = 1
) -> dict[str, int | None]:
    """By how much training each network raises a process's resident memory, at its highest.

    Counted is everything from before the network is made until after a few steps: its pattern, weights,
    gradients, Adam's moments, what a step works with, and what only making the network needs. Not counted are
    samples, validation and checkpoints, and what Python and Torch take for themselves: a tiny network is
    trained before, so that they have it. Memory comes in pages: two runs differ by up to 0.1 MB.

    Args:
        builds: functions that make the untrained networks. Each travels to a process of its own; a single one
            is called in this process.
        recipe: decides the size of a batch. Whether the step is the native one is decided as in `fit`.
        threads: Torch's.

    Returns:
        For each network bytes, or None where the system does not tell them: it must be Linux.
    """
    works = [Work(f"memory of {name}", partial(_measured, build, recipe)) for name, build in builds.items()]
    with closing(run_each(works, workers=len(works), threads=threads, progress=False)) as runs:
        peaks = dict(runs)
    return {name: peaks[index] for index, name in enumerate(builds)}


def _measured(build: Build, recipe: Recipe, shared: None, watch: Watch) -> int | None:
    """In a worker: one network."""
    if not _CLEAR_REFS.exists():
        return None
    n_in, n_classes, fused = _kind(build(), recipe)
    x, labels = torch.rand(recipe.batch_size, n_in), torch.randint(n_classes, (recipe.batch_size,))
    _train(lambda: split_midpoint(MLP([n_in, 4, 4, n_classes], [2, None, None])), recipe, x, labels, fused)
    _give_free_memory_back()
    before = _status_bytes("VmRSS")
    _CLEAR_REFS.write_text("5", encoding="ascii")  # forgets the peak
    _train(build, recipe, x, labels, fused)
    return _status_bytes("VmHWM") - before


def _kind(model: SplitModel, recipe: Recipe) -> tuple[int, int, bool]:
    """Inputs, classes, and whether `fit` takes the native step."""
    layers = [layer for layer in model.backbone().modules() if isinstance(layer, SparseLinear | nn.Linear)]
    fused = stages(model, recipe)[0].fused
    return layers[0].in_features, layers[-1].out_features, fused


def _train(build: Build, recipe: Recipe, x: Tensor, labels: Tensor, fused: bool) -> None:
    """The first steps of a training, as `fit` does them."""
    model = build()
    initialise(model, recipe)
    stage = stages(model, recipe, fused=fused)[0]
    step = stage.steps(stage.optimizer(), (x, labels))
    rows = torch.arange(len(labels))
    for _ in range(_N_STEPS):
        step(rows)


def _give_free_memory_back() -> None:
    """To the system, where the C library can (glibc): a small network would fit into what lies free."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status_bytes(key: str) -> int:
    """Of this process: VmRSS, its resident memory now, or VmHWM, the most since the peak was forgotten."""
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024
