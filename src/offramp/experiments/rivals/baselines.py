# mypy: allow-untyped-calls
# (Torch leaves Tensor.split without types.)
"""Baselines that predefined structured patterns are held against: other ways to as many edges.

Each is trained with the recipe, the first weights and the order of samples that `offramp.train.fit` has for
the same seed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from offramp.errors import ConfigError
from offramp.experiments.rivals.contenders import Contender
from offramp.experiments.rivals.masked import MaskedMLP, uniform_masks
from offramp.train import Recipe, Watch


@dataclass(frozen=True)
class RigL:
    """When edges move, and how many.

    Args:
        every: steps from one change to the next.
        fraction: of a junction's edges at the first change; it falls along half a cosine.
        until: share of the steps after which nothing changes.

    Source: Evci et al., Rigging the Lottery (2020), arXiv:1911.11134, algorithm 1 and its defaults.
    """

    every: int = 100
    fraction: float = 0.3
    until: float = 0.75

    def fraction_at(self, step: int, *, n_steps: int) -> float:
        """Share of the edges that move in place of this step; 0 for a step as any other."""
        end = self.until * n_steps
        if step == 0 or step % self.every or step >= end:
            return 0.0
        return self.fraction / 2 * (1 + math.cos(math.pi * step / end))


def fine_tuning_epochs(recipe: Recipe) -> int:
    """Epochs that a pruned network is trained for after its dense one."""
    return max(1, recipe.epochs // 2)


def train_baseline(
    contender: Contender, x: Tensor, labels: Tensor, recipe: Recipe, *, seed: int, watch: Watch
) -> MaskedMLP:
    """The trained network of a contender whose kind is "baseline".

    Args:
        x: (n, n_in) float32, labels (n,): all that is trained on.

    Raises:
        ConfigError: the loss is no longer finite.
    """
    neurons, n_edges = contender.neurons, contender.n_edges
    dense = contender.method == "pruned"
    n_first = [n_in * n_out for n_in, n_out in pairwise(neurons)] if dense else n_edges
    network = MaskedMLP(neurons, uniform_masks(neurons, n_first, seed=seed), recipe, seed=seed)
    first = range(recipe.epochs)
    more = range(recipe.epochs, recipe.epochs + (fine_tuning_epochs(recipe) if dense else 0))
    course = _Course(x, labels, recipe, seed, watch)
    watch.begin(n_done=0, n_steps=course.n_steps(first) + course.n_steps(more), fused=False)
    try:
        course.run(network, first, RigL() if contender.method == "rigl" else None)
        if dense:
            network.prune(n_edges)
            course.run(network, more)
    finally:
        watch.end()
    return network


@dataclass
class _Course:
    """The recipe over some epochs, once or more."""

    x: Tensor
    labels: Tensor
    recipe: Recipe
    seed: int
    watch: Watch
    n_done: int = 0

    def n_steps(self, epochs: range) -> int:
        return len(epochs) * math.ceil(len(self.labels) / self.recipe.batch_size)

    def run(self, network: MaskedMLP, epochs: range, rigl: RigL | None = None) -> None:
        """Train; the learning rate goes through the whole schedule."""
        n_steps = self.n_steps(epochs)
        for step, rows in enumerate(self._batches(epochs)):
            batch = self.x.index_select(0, rows), self.labels.index_select(0, rows)
            if rigl is not None and (fraction := rigl.fraction_at(step, n_steps=n_steps)):
                loss = network.rewire(*batch, fraction=fraction)
            else:
                rate = self.recipe.learning_rate_at(step, n_steps=n_steps)
                loss = network.learn(*batch, learning_rate=rate)
            if not math.isfinite(loss):
                raise ConfigError(f"the loss became {loss} in step {step + 1}; use a smaller learning_rate")
            self.n_done += 1
            self.watch.step(self.n_done, loss)

    def _batches(self, epochs: range) -> Iterator[Tensor]:
        """Sample numbers in the order of `fit`, which derives it from seed and epoch."""
        for epoch in epochs:
            order = np.random.default_rng((self.seed, epoch)).permutation(len(self.labels))
            yield from torch.from_numpy(order).split(self.recipe.batch_size)
