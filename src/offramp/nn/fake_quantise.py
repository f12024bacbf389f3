"""Features as they come out of a codec of whole numbers, in a network that is still trained."""

from typing import Any

import torch
from torch import Tensor, nn


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
