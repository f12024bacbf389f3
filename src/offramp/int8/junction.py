"""A junction in integers: int8 weights, 32-bit sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from offramp.int8.scaling import Integers, Scaling, Symbols

_AT_ONCE = 1 << 24  # gathered inputs, of 8 bytes each


@dataclass(frozen=True, eq=False)
class IntegerJunction:
    """Sums of weights times symbols, exact, and what becomes of them.

    Args:
        n_in: inputs.
        block: (r, c), neighbouring inputs and outputs of one block; a dense junction is one block.
        table: (n_out/c, in_degree/r) the input block of each block, as in `Pattern`.
        weight: (n_out/c, in_degree/r, r·c) int8, -127 ... 127.
        bias: (n_out,) int32.
        unit: (n_out,) what a unit of each sum is worth.
        scaling: to the symbols of the next layer; None where the sums are scores.
        floor: the least that scores are; 0 behind a ReLU.
    """

    n_in: int
    block: tuple[int, int]
    table: npt.NDArray[np.unsignedinteger]
    weight: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    unit: npt.NDArray[np.float64]
    scaling: Scaling | None
    floor: int | None = None

    @property
    def n_out(self) -> int:
        """Outputs."""
        return int(self.bias.size)

    @property
    def in_degree(self) -> int:
        """Edges of an output."""
        return int(self.table.shape[1]) * self.block[0]

    @property
    def n_edges(self) -> int:
        """Weights."""
        return int(self.weight.size)

    @property
    def rows(self) -> npt.NDArray[np.int8]:
        """(n_out, in_degree): the weights of each output, in the order of its table's row."""
        blocks, k = self.table.shape
        r, c = self.block
        parts = self.weight.reshape(blocks, k, r, c).transpose(0, 3, 1, 2)
        return np.ascontiguousarray(parts).reshape(self.n_out, self.in_degree)

    @property
    def inputs(self) -> Integers:
        """(n_out/c, in_degree): the input of each edge."""
        wide = self.table.astype(np.int64)[:, :, None] * self.block[0] + np.arange(self.block[0])
        return wide.reshape(len(self.table), self.in_degree)

    def largest_sum(self, limit: int) -> int:
        """A bound on every partial sum's size, in any order, for symbols up to `limit`."""
        wide, bias = self.rows.astype(np.int64), np.abs(self.bias.astype(np.int64))
        up, down = np.maximum(wide, 0).sum(axis=1), np.maximum(-wide, 0).sum(axis=1)
        return int((bias + limit * np.maximum(up, down)).max())

    def sums(self, symbols: Symbols) -> Integers:
        """(n, n_out) exact sums for symbols (n, n_in)."""
        inputs, weight = self._operands
        out = np.empty((len(symbols), self.n_out), np.int64)
        step = max(1, _AT_ONCE // inputs.size)
        for start in range(0, len(symbols), step):
            gathered = symbols[start : start + step, inputs].astype(np.float64)  # (n, n_out/c, in_degree)
            products = np.matmul(gathered.transpose(1, 0, 2), weight)  # (n_out/c, n, c)
            out[start : start + step] = products.transpose(1, 0, 2).reshape(-1, self.n_out)
        return out + self.bias

    @cached_property
    def _operands(self) -> tuple[Integers, npt.NDArray[np.float64]]:
        """Inputs of edges, and weights (n_out/c, in_degree, c) in float64, which adds these exactly."""
        blocks, c = len(self.table), self.block[1]
        weight = self.rows.reshape(blocks, c, self.in_degree).transpose(0, 2, 1).astype(np.float64)
        return self.inputs, weight

    def __call__(self, symbols: Symbols) -> Symbols | Integers:
        """Symbols (n, n_out) of the next layer, or scores."""
        sums = self.sums(symbols)
        if self.scaling is not None:
            return self.scaling(sums)
        return sums if self.floor is None else np.maximum(sums, self.floor)
