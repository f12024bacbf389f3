"""Features of a codec of whole numbers, and weights of 8 bits, in a network that is still trained."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from offramp.codec.grid import MIN_STEP
from offramp.int8 import LARGEST_WEIGHT
from offramp.nn.sparse_linear import SparseLinear


class FakeQuantise(nn.Module):
    """The nearest level of every feature, with the bits that int8 and int4 of `offramp.codec` give.

    Level q of 0 .. 2^bits - 1 of a feature is low + q * step. Gradients pass straight through where a feature
    lies within its levels, and end where it is cut off.

    Args:
        n_features: width of x (batch, n_features).
        bits: of a level's number.

    Attributes:
        low, step: (n_features,) float32, 0 and 1 at first; set them by `fit_to`.

    Source of the straight-through estimator: Bengio, Léonard, Courville, 2013; arXiv:1308.3432.
    """

    low: Tensor
    step: Tensor

    def __init__(self, n_features: int, bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.register_buffer("low", torch.zeros(n_features))
        self.register_buffer("step", torch.ones(n_features))

    def fit_to(self, low: Tensor, step: Tensor) -> None:
        """Take these levels over."""
        self.low.copy_(low)
        self.step.copy_(step)

    def forward(self, x: Tensor) -> Tensor:
        levels: Tensor = _Level.apply(x, self.low, self.step, 2**self.bits - 1)  # type: ignore[no-untyped-call]
        return levels

    def extra_repr(self) -> str:
        return f"{len(self.low)}, bits={self.bits}"


class RoundedWeights(nn.Module):
    """A layer that computes with weights as docs/formats/int8.md rounds them, in units of each output.

    Its parameters are the layer's, and gradients pass straight through.

    Args:
        one_unit: for all outputs, as scores have it.

    Attributes:
        step: like the weight; what a symbol of each edge's input is worth, 1 at first, 0 for one that is
            always 0.
    """

    step: Tensor

    def __init__(self, layer: SparseLinear | nn.Linear, *, one_unit: bool = False) -> None:
        super().__init__()
        self.layer = layer
        self._one_unit = one_unit
        self.register_buffer("step", torch.ones_like(layer.weight), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = functional_call(self.layer, {"weight": self.weight}, (x,))
        return outputs

    @property
    def weight(self) -> Tensor:
        """The layer's weight, rounded."""
        weight = self.layer.weight
        c = self.layer.c if isinstance(self.layer, SparseLinear) else 1
        with torch.no_grad():
            real = (weight * self.step).reshape(*weight.shape[:2], -1, c)
            unit = real.abs().amax(dim=(1, 2), keepdim=True) / LARGEST_WEIGHT  # of each output
            if self._one_unit:
                unit = unit.amax()
            unit = torch.where(unit > 0, unit, 1.0)
            rounded = ((real / unit).round() * unit).reshape(weight.shape)
            rounded = torch.where(self.step > 0, rounded / self.step.clamp(min=MIN_STEP), weight)
        return weight + (rounded - weight).detach()

    def inputs_are_worth(self, step: Tensor) -> None:
        """Take over what a symbol of each input (n_in,) is worth."""
        if isinstance(self.layer, SparseLinear):
            blocks = step.reshape(-1, self.layer.r)[self.layer.table.long()]  # (n_out/c, in_degree/r, r)
            self.step.copy_(blocks.repeat_interleave(self.layer.c, dim=2))
        else:
            self.step.copy_(step.expand_as(self.step))

    def extra_repr(self) -> str:
        return f"one_unit={self._one_unit}"


class _Level(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: Tensor, step: Tensor, last: int) -> Tensor:
        high = low + last * step
        inside = x.clamp(low, high)
        ctx.save_for_backward(inside == x)
        # One rounding an operation, as in codec/grid.py: a tail trained on these bits gets these bits.
        symbols = ((inside - low) / step).round().clamp(max=last)
        return low + symbols * step

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return grads[0] * inside, None, None, None
