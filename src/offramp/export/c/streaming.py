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

    def _add_two(self, sums: str, weight: str) -> list[str]:
        """NAME_add_two takes two neighbours, the first an even one: each sum moves once for both."""
        assert self.index is not None
        name, (r, c) = self.junction.name, self._shape.block
        per_block, per_input = self.index.shape[1], self.weights.shape[1]
        kind = "uint8_t" if self.index.itemsize == 1 else "uint16_t"
        block = [
            f"{sums} *sum = sums + {read(self.index, 'index')}{f' * {c}u' if c > 1 else ''};",
            "index++;",
        ]
        for j in range(c):
            first, second = (read(self.weights, f"w + {at}") for at in (j, per_input + j))
            block += [
                f"sum[{j}] += {first} * a;",
                f"sum[{j}] += {second} * b;",
            ]  # each fits an int of 16 bits
        block.append(f"w += {c};")
        return [
            "",
            f"static COPIED void {name}_add_two({sums} *sums, uint_fast16_t i, uint8_t a, uint8_t b)",
            "{",
            f"    const {weight} *w = {name}_weight + (uint32_t)i * {per_input};",
            f"    const {kind} *index = {name}_index + (uint32_t)(i / {r}) * {per_block};",
            *(line for _ in range(per_block) for line in inside(["{", *inside(block), "}"])),
            "}",
        ]

    def tables(self) -> str:
        """Their definitions."""
        name = self.junction.name
        made = [table(f"{name}_weight", self.weights, "weights, input by input")]
        if self.index is not None:
            made.append(table(f"{name}_index", self.index, "index: the outputs of each input"))
        if self.junction.has_bias:
            made.append(table(f"{name}_bias", self.junction.stored_bias, "biases"))
        if self.junction.multiplier is not None:
            made.append(table(f"{name}_multiplier", self.junction.multiplier, "multipliers"))
        return "\n".join(made)

    def functions(self) -> str:
        """NAME_clear sets the sums, NAME_add takes one value, NAME_finish makes the outputs."""
        junction, name = self.junction, self.junction.name
        integers = junction.integer is not None
        sums = "int32_t" if integers else "float"
        n_out, c = self._shape.n_out, self._shape.block[1]
        bias = read(junction.stored_bias, f"{name}_bias + o") if junction.has_bias else "0"
        weight = "int8_t" if integers else "float"
        per_input = self.weights.shape[1]
        lines = [
            f"/* {junction.words}, input by input */",
            f"static void {name}_clear({sums} *sums)",
            "{",
            "    uint_fast16_t o;",
            f"    for (o = 0; o < {n_out}; o++) {{",
            f"        sums[o] = {bias};",
            "    }",
            "}",
            "",
            f"static COPIED void {name}_add({sums} *sums, uint_fast16_t i, {junction.reads} value)",
            "{",
            f"    const {weight} *w = {name}_weight + (uint32_t)i * {per_input};",
        ]
        multiply = f"{read(self.weights, 'w')} * value"
        if self.index is None:
            lines += [
                "    uint_fast16_t o;",
                f"    for (o = 0; o < {n_out}; o++) {{",
                f"        sums[o] += {multiply};",
                "        w++;",
                "    }",
                "}",
            ]
        else:
            kind = "uint8_t" if self.index.itemsize == 1 else "uint16_t"
            r, per_block = self._shape.block[0], self.index.shape[1]
            at = "(uint32_t)i" if r == 1 else f"(uint32_t)(i / {r})"
            target = read(self.index, "index")
            lines.append(f"    const {kind} *index = {name}_index + {at} * {per_block};")
            block = [f"{sums} *sum = sums + {target}{f' * {c}u' if c > 1 else ''};", "index++;"]
            for j in range(c):
                block += [f"sum[{j}] += {multiply};", "w++;"]
            if per_block <= _UNROLLED:
                lines += [line for _ in range(per_block) for line in inside(["{", *inside(block), "}"])]
            else:
                lines.append("    uint_fast8_t k;" if per_block < 256 else "    uint_fast16_t k;")
                lines += [f"    for (k = 0; k < {per_block}; k++) {{", *inside(block, 2), "    }"]
            lines.append("}")
        if self.in_pairs:
            lines += self._add_two(sums, weight)
        finished = (
            result(junction, "o", "sums[o]")
            if integers
            else ("y[o] = sums[o] > 0 ? sums[o] : 0;" if junction.relu else "y[o] = sums[o];")
        )
        lines += [
            "",
            f"static void {name}_finish(const {sums} *sums, {junction.gives} *y)",
            "{",
            "    uint_fast16_t o;",
            f"    for (o = 0; o < {n_out}; o++) {{",
            f"        {finished}",
            "    }",
            "}",
            "",
        ]
        return "\n".join(lines)
