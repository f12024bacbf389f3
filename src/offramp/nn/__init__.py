"""Sparse layers, perceptrons and split networks for Torch."""

from offramp.nn.cut import Bottleneck, split_at, split_midpoint
from offramp.nn.mlp import MLP
from offramp.nn.parts import from_parts, to_part, to_parts
from offramp.nn.sparse_linear import SparseLinear
from offramp.nn.split import Exit, SplitModel

__all__ = [
    "MLP",
    "Bottleneck",
    "Exit",
    "SparseLinear",
    "SplitModel",
    "from_parts",
    "split_at",
    "split_midpoint",
    "to_part",
    "to_parts",
]
