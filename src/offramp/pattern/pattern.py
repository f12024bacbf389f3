"""Which edges exist: a constant-degree bipartite graph between blocks of neurons."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from math import gcd
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from offramp.errors import PatternError
from offramp.pattern.junction import Junction, either, whole_number

_MAX_BLOCKS = 2**31 - 1
_MOST_16_BIT = 2**16


# Block numbers: 16 bits each where they fit, since a table is read as often as the weights.
Table = NDArray[np.uint16] | NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Pattern:
    """Which edges of a junction exist; made by the generators or `from_table`, never changed.

    Inputs and outputs are cut into blocks of r and of c neighbours. Between two connected blocks all r·c
    edges exist, between others none, and every block has as many partners as the next on its side. Patterns
    are equal when their widths, blocks and tables are.

    Attributes:
        block: (r, c).
        table: the input blocks of each output block, (n_out / c, in_degree / r), C order, read-only, rows
            ascending; uint16, or int32 where there are more than 65,536 input blocks.
    """

    n_in: int
    n_out: int
    out_degree: int
    block: tuple[int, int]
    table: Table = field(repr=False)

    @classmethod
    def from_table(
        cls, n_in: int, n_out: int, table: NDArray[np.integer[Any]], *, block: tuple[int, int] = (1, 1)
    ) -> Self:
        """The pattern with these input blocks for each output block.

        Args:
            table: whole numbers (n_out / c, in_degree / r), in any order within a row; copied.

        Raises:
            PatternError: wrong shape, a block outside the inputs, an edge twice, or unequal degrees.
        """
        n_in, n_out = whole_number("n_in", n_in), whole_number("n_out", n_out)
        r, c = checked_block(block)
        table = np.asarray(table)
        if n_in % r or n_out % c:
            raise PatternError(
                f"block=({r}, {c}) does not tile {n_in} inputs and {n_out} outputs;"
                " give an r that divides the inputs and a c that divides the outputs"
            )
        rows, n_blocks_in = n_out // c, n_in // r
        if table.dtype.kind not in "iu" or table.ndim != 2 or len(table) != rows or not table.size:
            raise PatternError(
                f"the table is {table.dtype} of shape {table.shape};"
                f" give whole numbers of shape ({rows}, in_degree / {r})"
            )
        if table.size % n_blocks_in or table.size > _MAX_BLOCKS:
            raise PatternError(
                f"the table has {table.size} entries for {n_blocks_in} input blocks;"
                f" give a multiple of {n_blocks_in}, at most {_MAX_BLOCKS}"
            )
        if table.min() < 0 or table.max() >= n_blocks_in:
            raise PatternError(
                f"the table has entries {table.min()}..{table.max()};"
                f" number the input blocks 0..{n_blocks_in - 1}"
            )
        ordered = table.astype(table_dtype(n_blocks_in), order="C")
        ordered.sort(axis=1)
        repeated = ordered[:, 1:] == ordered[:, :-1]
        if repeated.any():
            row, k = (int(i[0]) for i in np.nonzero(repeated))
            raise PatternError(
                f"output block {row} has input block {ordered[row, k]} twice; give each edge only once"
            )
        degree = table.size // n_blocks_in
        degrees = np.bincount(ordered.ravel(), minlength=n_blocks_in)
        if (degrees != degree).any():
            odd = int(np.flatnonzero(degrees != degree)[0])
            raise PatternError(
                f"input block {odd} feeds {degrees[odd]} output blocks, but the table's size means {degree};"
                f" give every input block {degree}"
            )
        ordered.flags.writeable = False
        return cls(n_in, n_out, degree * c, (r, c), ordered)

    @property
    def junction(self) -> Junction:
        """The arithmetic of this pattern."""
        return Junction(self.n_in, self.n_out, self.out_degree)

    @property
    def in_degree(self) -> int:
        """Edges entering each output neuron."""
        return self.n_edges // self.n_out

    @property
    def n_edges(self) -> int:
        """Edges, r·c of them in each block."""
        return self.n_in * self.out_degree

    @property
    def density(self) -> float:
        """Edges / (n_in · n_out), in (0, 1]."""
        return self.out_degree / self.n_out

    def reverse(self) -> Table:
        """The output blocks that each input block feeds, (n_in / r, out_degree / c); made once.

        C order, read-only, rows ascending; uint16, or int32 where there are more than 65,536 output blocks.
        """
        return self._reverse

    def digest(self) -> str:
        """The sha256, in hex, that this pattern has on every machine."""
        return self._digest

    def edges(self) -> NDArray[np.int64]:
        """All edges as (input, output), ordered by output, then input: (n_edges, 2)."""
        r, c = self.block
        inputs = self.table[:, :, None].astype(np.int64) * r + np.arange(r)  # (n_out / c, in_degree / r, r)
        inputs = np.repeat(inputs.reshape(-1, self.in_degree), c, axis=0)  # (n_out, in_degree)
        outputs = np.repeat(np.arange(self.n_out), self.in_degree)
        return np.stack([inputs.ravel(), outputs], axis=1)

    @cached_property
    def _reverse(self) -> Table:
        # Sorting (input block, output block) as one number is a stable argsort, only faster.
        n_blocks = len(self.table)
        bits = (n_blocks - 1).bit_length()
        fits = bits + (self.n_in // self.block[0]).bit_length() <= 32
        keys: NDArray[Any] = self.table.astype(np.uint32 if fits else np.int64)
        keys <<= bits
        keys |= np.arange(n_blocks, dtype=keys.dtype)[:, None]
        keys = keys.ravel()
        keys.sort()
        keys &= (1 << bits) - 1
        table = keys.astype(table_dtype(n_blocks)).reshape(self.n_in // self.block[0], -1)
        table.flags.writeable = False
        return table

    @cached_property
    def _digest(self) -> str:
        head = f"offramp pattern 1: {self.n_in} {self.n_out} {self.block[0]} {self.block[1]}\n"
        return hashlib.sha256(head.encode() + self.table.astype("<i4").tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pattern):
            return NotImplemented
        mine, theirs = ((p.n_in, p.n_out, p.block) for p in (self, other))
        return mine == theirs and np.array_equal(self.table, other.table)

    def __hash__(self) -> int:
        return hash(self._digest)

    def __reduce__(self) -> tuple[Any, ...]:
        # A plain copy would bring a table that can be written to.
        return _rebuilt, (self.n_in, self.n_out, self.table, self.block)


def table_dtype(n_blocks: int) -> np.dtype[Any]:
    """What a table holds the numbers of so many blocks in."""
    return np.dtype(np.uint16) if n_blocks <= _MOST_16_BIT else np.dtype(np.int32)


def _rebuilt(n_in: int, n_out: int, table: Table, block: tuple[int, int]) -> Pattern:
    return Pattern.from_table(n_in, n_out, table, block=block)


def checked_block(block: tuple[int, int]) -> tuple[int, int]:
    """The block as two Python ints, 1 or more."""
    try:
        r, c = block
    except (TypeError, ValueError):
        raise PatternError(
            f"block={block!r} is not usable; give (r, c), neighbouring inputs and outputs"
        ) from None
    return whole_number("r", r), whole_number("c", c)


def block_junction(junction: Junction, block: tuple[int, int]) -> Junction:
    """The junction between the blocks.

    Raises:
        PatternError: the widths or degrees are no multiples of the block, or there are too many blocks.
    """
    r, c = checked_block(block)
    for name, size, width_name, width, degree_name, degree in (
        ("r", r, "n_in", junction.n_in, "in_degree", junction.in_degree),
        ("c", c, "n_out", junction.n_out, "out_degree", junction.out_degree),
    ):
        common = gcd(width, degree)
        if common % size:
            raise PatternError(
                f"block=({r}, {c}) does not fit: {name} must divide {width_name}={width} and"
                f" {degree_name}={degree}; use {name} = {either(divisors(common))}"
            )
    blocks = Junction(junction.n_in // r, junction.n_out // c, junction.out_degree // c)
    if blocks.n_edges > _MAX_BLOCKS:
        raise PatternError(
            f"out_degree={junction.out_degree} gives {blocks.n_edges} blocks of {r}×{c};"
            f" at most {_MAX_BLOCKS} can be numbered, so use a smaller out-degree or larger blocks"
        )
    return blocks


def allowed_blocks(n_in: int, n_out: int, out_degree: int) -> str:
    """The blocks that the degrees allow, as a phrase: "r = 1, 2 or 4 and c = 1 or 5"."""
    r, c = _most(Junction(n_in, n_out, out_degree))
    return f"r = {either(divisors(r))} and c = {either(divisors(c))}"


def largest_block(n_in: int, n_out: int, out_degree: int, wanted: tuple[int, int]) -> tuple[int, int]:
    """The largest block (r, c) that divides the wanted one and that the degrees allow."""
    r, c = checked_block(wanted)
    most_r, most_c = _most(Junction(n_in, n_out, out_degree))
    return gcd(r, most_r), gcd(c, most_c)


def _most(junction: Junction) -> tuple[int, int]:
    return gcd(junction.n_in, junction.in_degree), gcd(junction.n_out, junction.out_degree)


def divisors(number: int) -> list[int]:
    """All divisors, ascending."""
    low = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return sorted({*low, *(number // d for d in low)})
