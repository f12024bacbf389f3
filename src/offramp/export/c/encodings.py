"""How C finds the input of each edge: index encodings of a junction, each with what it takes.

| kind | index | for |
|---|---|---|
| `dense` | none, all inputs in order | small or nearly full junctions; absent edges are weights of 0 |
| `affine` | none, edge e reads input block (a·e + b) mod n | patterns that a formula made |
| `u8`, `u16` | the number of each input block, in one or two bytes | n up to 256, or 65,536 |
| `delta` | how far each block lies behind the one before, in a byte; 255 says: and farther | many inputs |

A block of r x c edges has one entry for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError

Kind = Literal["dense", "affine", "u8", "u16", "delta"]
KINDS: tuple[Kind, ...] = ("dense", "affine", "u8", "u16", "delta")
FARTHER = 255  # of a delta: no block yet
CHUNK = 4  # neighbouring inputs whose weights of one row lie together
TOGETHER = (1, 2, 3, 4, 5)
_MANY = 1 << 20  # weights of a dense form that is made though it cannot be the smallest, for its price
_SMALLER = 3  # a sparse form takes three bytes an edge at most

Array = npt.NDArray[Any]


class Affine(NamedTuple):
    """Block e of a junction reads input block (multiplier · e + offset) mod n."""

    multiplier: int
    offset: int


@dataclass(frozen=True, eq=False)
class Shape:
    """A junction's edges, whatever its weights are made of.

    Args:
        n_in, n_out: neurons.
        block: (r, c).
        table: (n_out/c, in_degree/r), rows ascending.
        rows: (n_out, in_degree) weights, each row in the order of its table's.
    """

    n_in: int
    n_out: int
    block: tuple[int, int]
    table: Array
    rows: Array

    @property
    def n_blocks(self) -> int:
        """Blocks of inputs."""
        return self.n_in // self.block[0]

    @property
    def in_degree(self) -> int:
        """Edges of an output."""
        return int(self.rows.shape[1])


@dataclass(frozen=True, eq=False)
class Encoding:
    """One way to write a junction down, output by output.

    Args:
        kind: see above.
        block: (r, c) as this encoding has it: a dense one has no blocks.
        per_row: input blocks of a row.
        rows: (n_out, per_row · r) weights, each row in the order in which it is added up.
        index: what is stored; None where a formula says it.
        affine: that formula.
        together: rows that are added up at once: they read the same inputs.
    """

    kind: Kind
    block: tuple[int, int]
    per_row: int
    rows: Array
    index: Array | None = None
    affine: Affine | None = None
    together: int = 1

    def inputs(self, shape: Shape) -> Array:
        """(n_out, per_row · r): the input of each weight."""
        r, c = self.block
        if self.kind == "dense":
            return np.arange(self.per_row)[None].repeat(shape.n_out, axis=0)
        blocks = shape.table.astype(np.int64)
        if self.affine is not None:
            edges = np.arange(blocks.size).reshape(blocks.shape)
            blocks = (self.affine.multiplier * edges + self.affine.offset) % shape.n_blocks
        inputs = (blocks[:, :, None] * r + np.arange(r)).reshape(len(blocks), -1)
        return inputs.repeat(c, axis=0)

    @property
    def weights(self) -> Array:
        """In the order in which they lie in flash: rows that are added together, chunk by chunk."""
        r, groups = self.block[0], self.rows.reshape(-1, self.together, self.rows.shape[1])
        if self.kind == "dense":
            whole = self.per_row // CHUNK * CHUNK
            parts = [_interleaved(groups[:, :, :whole], CHUNK), _interleaved(groups[:, :, whole:], 1)]
            return np.concatenate(parts, axis=1)
        return _interleaved(groups, CHUNK if r % CHUNK == 0 else r)

    @property
    def weight_bytes(self) -> int:
        """Of flash."""
        return int(self.rows.nbytes)

    @property
    def index_bytes(self) -> int:
        """Of flash."""
        return 0 if self.index is None else int(self.index.nbytes)


def encodings(shape: Shape) -> Iterator[Encoding]:
    """All encodings that a junction can have, each with one row at a time and several that read the same.

    Raises:
        ConfigError: more input blocks than 16 bits can name.
    """
    for encoding in _alone(shape):
        c = shape.n_out if encoding.kind == "dense" else shape.block[1]
        yield from (replace(encoding, together=n) for n in TOGETHER if c % n == 0)


def _alone(shape: Shape) -> Iterator[Encoding]:
    """All kinds that a junction can have."""
    n_dense = shape.n_in * shape.n_out
    if n_dense <= _MANY or n_dense <= _SMALLER * shape.rows.size:
        yield _dense(shape)
    if shape.in_degree == shape.n_in:
        return
    per_row = shape.table.shape[1]
    found = find_affine(shape.table, shape.n_blocks)
    if found is not None:
        yield _affine(shape, found)
    if shape.n_blocks <= 1 << 8:
        yield Encoding("u8", shape.block, per_row, shape.rows, shape.table.astype(np.uint8))
    if shape.n_blocks > 1 << 16:
        raise ConfigError(
            f"unsupported layer: a junction with {shape.n_blocks:,} blocks of inputs; an index has 16 bits,"
            " so 65,536 at most: train with larger blocks"
        )
    yield Encoding("u16", shape.block, per_row, shape.rows, shape.table.astype(np.uint16))
    if shape.n_blocks > 1 << 8:
        yield Encoding("delta", shape.block, per_row, shape.rows, _deltas(shape.table))


def find_affine(table: Array, n: int) -> Affine | None:
    """The formula of a table (rows, columns) of blocks below n, rows ascending; None where there is none."""
    rows, columns = table.shape
    wide = table.astype(np.int64)
    first = wide[0]
    if columns == 1:
        steps = [int(wide[1, 0] - wide[0, 0]) % n if rows > 1 else 1]
    else:
        differences, counts = np.unique((first[:, None] - first) % n, return_counts=True)
        steps = [int(d) for d, count in zip(differences, counts, strict=True) if d and count >= columns - 1]
    edges = np.arange(rows * columns).reshape(rows, columns)
    for step in steps:
        if gcd(step, n) != 1:
            continue
        for start in first[~np.isin((first - step) % n, first)].tolist():
            if np.array_equal(np.sort((step * edges + start) % n, axis=1), wide):
                return Affine(step, start)
    return None


def _dense(shape: Shape) -> Encoding:
    weights = np.zeros((shape.n_out, shape.n_in), shape.rows.dtype)
    r, c = shape.block
    inputs = (shape.table.astype(np.int64)[:, :, None] * r + np.arange(r)).reshape(len(shape.table), -1)
    np.put_along_axis(weights, np.repeat(inputs, c, axis=0), shape.rows, axis=1)
    return Encoding("dense", (1, 1), shape.n_in, weights)


def _affine(shape: Shape, formula: Affine) -> Encoding:
    (r, c), (blocks, columns) = shape.block, shape.table.shape
    edges = np.arange(blocks * columns).reshape(blocks, columns)
    wanted = (formula.multiplier * edges + formula.offset) % shape.n_blocks
    place = np.argsort(np.argsort(wanted, axis=1), axis=1)  # of each edge in its ascending row
    rows = shape.rows.reshape(blocks, c, columns, r)
    ordered = np.take_along_axis(rows, place[:, None, :, None], axis=2)
    return Encoding("affine", shape.block, columns, ordered.reshape(shape.n_out, -1), affine=formula)


def _interleaved(groups: Array, chunk: int) -> Array:
    """(n_groups, together, n) as (n_groups, -1): a chunk of each row after the other."""
    n_groups, together, n = groups.shape
    return groups.reshape(n_groups, together, n // chunk, chunk).swapaxes(1, 2).reshape(n_groups, -1)


def _deltas(table: Array) -> Array:
    """The gaps of each row, one row after the other; rows differ in length where gaps reach FARTHER."""
    gaps = np.diff(table.astype(np.int64), axis=1, prepend=0).ravel()
    out: list[int] = []
    for gap in gaps:
        farther, rest = divmod(int(gap), FARTHER)
        out += [FARTHER] * farther + [rest]
    return np.array(out, np.uint8)
