# mypy: allow-untyped-calls
# (Torch leaves Tensor.backward without types.)
"""Dense weights of which only those under a mask live, in plain Torch: for baselines, not for use.

All are stored and computed, the dead ones as zeros: any edges can be trained so, and none saves anything.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from offramp.nn import MLP
from offramp.train import Recipe, initialise


class MaskedMLP:
    """An MLP under masks, and its Adam.

    First weights are those that `fit` draws for the seed, as far as they live; where the recipe asks for the
    in-degree, each neuron has its own.

    Args:
        masks: for each junction (n_out, n_in) float32, 1 for an edge and 0 for none. They are changed.
    """

    def __init__(self, neurons: Sequence[int], masks: Sequence[Tensor], recipe: Recipe, *, seed: int) -> None:
        self.model, self.masks = MLP(neurons), list(masks)
        self.weights = [layer.weight for layer in self.model if isinstance(layer, nn.Linear)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            initialise(self.model, recipe)
        with torch.no_grad():
            for weight, mask in zip(self.weights, self.masks, strict=True):
                weight.mul_(mask)
                if recipe.init == "in_degree":
                    in_degrees = mask.sum(1, keepdim=True).clamp_(min=1)  # (n_out, 1)
                    weight.mul_(torch.sqrt(mask.shape[1] / in_degrees))
        self._n_live = self.n_edges
        self.n_macs = 0  # that training took so far, had only live edges been computed
        self.restart_adam()

    @property
    def n_edges(self) -> tuple[int, ...]:
        """Of each junction, counted."""
        return tuple(int(mask.sum()) for mask in self.masks)

    def restart_adam(self) -> None:
        """Forget the moments of all weights."""
        self.adam = torch.optim.Adam(self.model.parameters(), fused=True)

    def learn(self, x: Tensor, labels: Tensor, *, learning_rate: float) -> float:
        """Take a step on a batch; gives its loss before."""
        loss = self._gradients(x, labels, self._n_live)
        for weight, mask in zip(self.weights, self.masks, strict=True):
            assert weight.grad is not None
            weight.grad.mul_(mask)  # so that the moments of dead weights, and they themselves, stay zero
        if math.isfinite(loss):
            self.adam.param_groups[0]["lr"] = learning_rate
            self.adam.step()
        return loss

    @torch.no_grad()
    def prune(self, n_edges: Sequence[int]) -> None:
        """Keep so many of the largest weights of each junction, and train them as if from the start."""
        for weight, mask, n in zip(self.weights, self.masks, n_edges, strict=True):
            mask.copy_(largest(weight.abs(), n, among=mask))
            weight.mul_(mask)
        self._n_live = self.n_edges
        self.restart_adam()

    def rewire(self, x: Tensor, labels: Tensor, *, fraction: float) -> float:
        """In place of a step, drop this share of each junction's edges and grow as many; gives the loss.

        The smallest weights are dropped. Edges grow where the batch's gradient is largest, a dropped one too
        if it is there; all begin at zero, with Adam's moments at zero.
        """
        loss = self._gradients(x, labels, [mask.numel() for mask in self.masks])
        with torch.no_grad():
            for weight, mask, n in zip(self.weights, self.masks, self._n_live, strict=True):
                n_dropped = min(int(fraction * n), mask.numel() - n)
                assert weight.grad is not None
                kept = largest(weight.abs(), n - n_dropped, among=mask)
                mask.copy_(kept + largest(weight.grad.abs(), n_dropped, among=1 - kept))
                moments = self.adam.state[weight]
                for tensor in (weight, moments["exp_avg"], moments["exp_avg_sq"]):
                    tensor.mul_(kept)
        return loss

    def _gradients(self, x: Tensor, labels: Tensor, n_gradients: Sequence[int]) -> float:
        """Gradients of all weights, dead ones too; `n_gradients` in each junction are what is wanted."""
        loss = cross_entropy(self.model(x), labels)
        self.adam.zero_grad()
        loss.backward()
        self.n_macs += len(labels) * step_macs(self._n_live, n_gradients)
        return loss.item()


def step_macs(n_edges: Sequence[int], n_gradients: Sequence[int] | None = None) -> int:
    """Multiply-adds of a training step for a sample: scores, and gradients of hidden neurons and of weights.

    Args:
        n_edges: of each junction.
        n_gradients: weights of each junction whose gradient is wanted, where that is more.
    """
    return sum(n_edges) + sum(n_edges[1:]) + sum(n_edges if n_gradients is None else n_gradients)


def largest(values: Tensor, n: int, *, among: Tensor) -> Tensor:
    """A mask of the n largest values, none of them negative, in places where `among` is not 0."""
    chosen = values.masked_fill(among == 0, -1).flatten().topk(n).indices
    return torch.zeros(values.numel()).index_fill_(0, chosen, 1).view_as(values)


def uniform_masks(neurons: Sequence[int], n_edges: Sequence[int], *, seed: int) -> list[Tensor]:
    """Masks (n_out, n_in) of so many edges, every choice of them as likely; the seed alone decides."""
    masks = []
    for junction, ((n_in, n_out), n) in enumerate(zip(pairwise(neurons), n_edges, strict=True), start=1):
        mask = torch.zeros(n_out * n_in)
        chosen = np.random.default_rng((seed, junction)).choice(n_out * n_in, n, replace=False)
        masks.append(mask.index_fill_(0, torch.from_numpy(chosen), 1).view(n_out, n_in))
    return masks
