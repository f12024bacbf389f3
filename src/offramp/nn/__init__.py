"""Sparse layers, perceptrons and split networks for Torch."""

from offramp.nn.mlp import MLP
from offramp.nn.parts import from_parts, to_part, to_parts
from offramp.nn.sparse_linear import SparseLinear
from offramp.nn.split import Exit, SplitModel, split_midpoint

__all__ = ["MLP", "Exit", "SparseLinear", "SplitModel", "from_parts", "split_midpoint", "to_part", "to_parts"]
