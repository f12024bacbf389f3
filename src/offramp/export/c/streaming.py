"""The first junction input by input: sums grow as values come, so nobody keeps the sample.

A value of 0 costs nothing more than being looked at, which most pixels of a drawing are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offramp.errors import ConfigError
from offramp.export.c.encodings import Shape
from offramp.export.c.junctions import CJunction, result
from offramp.export.c.text import inside, read, table

_UNROLLED = 4  # blocks of an input that are written one after the other


@dataclass(frozen=True, eq=False)
class StreamedJunction:
    """A junction, written input by input.

    Args:
        junction: the same, output by output; its encoding is not used.
        n_values: inputs that come; what stands behind them only pads.
        two_at_once: whether samples are read so that two neighbours come together.

    Raises:
        ConfigError: more blocks of outputs than 16 bits can name.
    """

    junction: CJunction
    n_values: int
    two_at_once: bool = False

    def __post_init__(self) -> None:
        if self._n_out_blocks > 1 << 16:
            raise ConfigError(
                f"unsupported layer: {self._n_out_blocks:,} blocks of outputs; an index has 16 bits"
            )

    @property
    def _shape(self) -> Shape:
        return self.junction.shape

    @property
    def _n_out_blocks(self) -> int:
        return self._shape.n_out // self._shape.block[1]

    @cached_property
    def _edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Output blocks (n_in/r, out_degree/c) of each input block; weights (n_in, out_degree/c, c)."""
        shape = self._shape
        (r, c), (blocks, columns) = shape.block, shape.table.shape
        inputs = shape.table.astype(np.int64).ravel()
        outputs = np.repeat(np.arange(blocks), columns)
        order = np.lexsort((outputs, inputs))
        per_input = len(order) // shape.n_blocks
        weights = shape.rows.reshape(blocks, c, columns, r).transpose(0, 2, 3, 1).reshape(-1, r, c)[order]
        weights = weights.reshape(shape.n_blocks, per_input, r, c).transpose(0, 2, 1, 3)
        return outputs[order].reshape(shape.n_blocks, per_input), weights.reshape(shape.n_in, per_input, c)

    @cached_property
    def weights(self) -> np.ndarray:
        """(n_values, out_degree)."""
        return np.ascontiguousarray(self._edges[1][: self.n_values]).reshape(self.n_values, -1)

    @cached_property
    def index(self) -> np.ndarray | None:
        """(blocks of values, out_degree/c); None where every input goes everywhere."""
        blocks = self._edges[0][: -(-self.n_values // self._shape.block[0])]
        if blocks.shape[1] == self._n_out_blocks:
            return None
        return blocks.astype(np.uint8 if self._n_out_blocks <= 1 << 8 else np.uint16)

    @property
    def table_bytes(self) -> dict[str, int]:
        """Flash by kind of table."""
        own = {
            "weights": int(self.weights.nbytes),
            "index": 0 if self.index is None else int(self.index.nbytes),
        }
        return self.junction.table_bytes | own

    @property
    def in_pairs(self) -> bool:
        """Whether there is a function for two inputs, 2i and 2i + 1, which go to the same few outputs."""
        if not self.two_at_once:
            return False
        shared = self.index is not None and self._shape.block[0] % 2 == 0
        return self.junction.integer is not None and shared and self._edges[0].shape[1] <= _UNROLLED

    def tables(self) -> str:
        """Their definitions."""
        name = self.junction.name
        made = [table(f"{name}_weight", self.weights, "weights, input by input")]
        if self.index is not None:
            made.append(table(f"{name}_index", self.index, "index: the outputs of each input"))
        return "\n".join([*made, *self.junction.output_tables()])

    def functions(self) -> str:
        """NAME_clear sets the sums, NAME_add takes one value, NAME_finish makes the outputs.

        Where inputs come in pairs, NAME_add_two takes two neighbours, the first an even one: each sum moves
        once for both. That needs registers, so not all processors have it.
        """
        lines = [
            f"/* {self.junction.words}, input by input */",
            *self._clear(),
            *self._add("add", ("value",)),
        ]
        if self.in_pairs:
            lines += ["#if !FEW_REGISTERS", *self._add("add_two", ("a", "b")), "#endif", ""]
        return "\n".join([*lines, *self._finish()])

    @property
    def _sum(self) -> str:
        return "float" if self.junction.integer is None else "int32_t"

    def _clear(self) -> list[str]:
        junction, name = self.junction, self.junction.name
        bias = read(junction.stored_bias, f"{name}_bias + o") if junction.has_bias else "0"
        return self._each_output(f"{name}_clear({self._sum} *sums)", f"sums[o] = {bias};")

    def _finish(self) -> list[str]:
        junction = self.junction
        signature = f"{junction.name}_finish(const {self._sum} *sums, {junction.gives} *y)"
        return self._each_output(signature, result(junction, "o", "sums[o]"))

    def _each_output(self, signature: str, line: str) -> list[str]:
        loop = [f"for (o = 0; o < {self._shape.n_out}; o++) {{", *inside([line]), "}"]
        return [f"static void {signature}", "{", *inside(["uint_fast16_t o;", *loop]), "}", ""]

    def _add(self, name: str, values: tuple[str, ...]) -> list[str]:
        """A function that adds neighbouring inputs, from number i on, to the sums."""
        junction = self.junction
        given = ", ".join(f"{junction.reads} {value}" for value in values)
        kind, per_input = ("int8_t" if junction.integer is not None else "float"), self.weights.shape[1]
        weights = f"const {kind} *w = {junction.name}_weight + (uint32_t)i * {per_input};"
        body = self._to_all(values) if self.index is None else self._to_some(self.index, values)
        return [
            f"static COPIED void {junction.name}_{name}({self._sum} *sums, uint_fast16_t i, {given})",
            "{",
            *inside([weights, *body]),
            "}",
            "",
        ]

    def _to_all(self, values: tuple[str, ...]) -> list[str]:
        loop = [*self._products("sums[o]", 0, values), "w++;"]
        return ["uint_fast16_t o;", f"for (o = 0; o < {self._shape.n_out}; o++) {{", *inside(loop), "}"]

    def _to_some(self, index: np.ndarray, values: tuple[str, ...]) -> list[str]:
        """The outputs that the index names."""
        (r, c), per_block = self._shape.block, index.shape[1]
        kind = "uint8_t" if index.itemsize == 1 else "uint16_t"
        at = "(uint32_t)i" if r == 1 else f"(uint32_t)(i / {r})"
        block = [
            f"{self._sum} *sum = sums + {read(index, 'index')}{f' * {c}u' if c > 1 else ''};",
            "index++;",
        ]
        for j in range(c):
            block += self._products(f"sum[{j}]", j, values)
        block.append(f"w += {c};")
        start = f"const {kind} *index = {self.junction.name}_index + {at} * {per_block};"
        if per_block <= _UNROLLED:
            return [start, *(line for _ in range(per_block) for line in ("{", *inside(block), "}"))]
        counter = "uint_fast8_t" if per_block < 256 else "uint_fast16_t"
        return [start, f"{counter} k;", f"for (k = 0; k < {per_block}; k++) {{", *inside(block), "}"]

    def _products(self, sum_: str, j: int, values: tuple[str, ...]) -> list[str]:
        """Each value times its weight j; one after the other, since two products may not fit 16 bits."""
        per_input = self.weights.shape[1]
        places = [j + k * per_input for k in range(len(values))]
        weights = [read(self.weights, f"w + {place}" if place else "w") for place in places]
        return [f"{sum_} += {weight} * {value};" for weight, value in zip(weights, values, strict=True)]
