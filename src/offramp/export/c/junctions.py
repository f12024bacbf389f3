"""A junction as a C function, and the tables that it reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offramp.export.c.encodings import Encoding, Shape
from offramp.export.c.rows import Rows
from offramp.export.c.text import inside, narrowest, read, table
from offramp.int8 import IntegerJunction


@dataclass(frozen=True, eq=False)
class CJunction:
    """One junction, written output by output.

    Args:
        name: of the function and the beginning of its tables' names.
        words: what it is, for a comment.
        shape: its edges.
        encoding: of these.
        integer: the junction in integers; None in float32.
        bias: float32 (n_out,), all 0 where the layer has none.
        relu: whether a ReLU follows; in integers, scaling and floor say it.
    """

    name: str
    words: str
    shape: Shape
    encoding: Encoding
    integer: IntegerJunction | None
    bias: np.ndarray
    relu: bool = False

    @property
    def reads(self) -> str:
        """The C type of its inputs."""
        return "float" if self.integer is None else "uint8_t"

    @property
    def gives(self) -> str:
        """The C type of its outputs."""
        if self.integer is None:
            return "float"
        return "uint8_t" if self.integer.scaling is not None else "int32_t"

    @cached_property
    def stored_bias(self) -> np.ndarray:
        """As the table has it."""
        return self.bias.astype(np.float32) if self.integer is None else narrowest(self.integer.bias)

    @cached_property
    def multiplier(self) -> np.ndarray | None:
        """(n_out,) uint16; None where all are the same, or there are none."""
        if self.integer is None or self.integer.scaling is None:
            return None
        values = self.integer.scaling.multiplier.astype(np.uint16)
        return None if (values == values[0]).all() else values

    @property
    def has_bias(self) -> bool:
        return bool(self.stored_bias.any())

    @property
    def table_bytes(self) -> dict[str, int]:
        """Flash by kind of table."""
        return {
            "weights": self.encoding.weight_bytes,
            "index": self.encoding.index_bytes,
            "biases": int(self.stored_bias.nbytes) * self.has_bias,
            "multipliers": 0 if self.multiplier is None else int(self.multiplier.nbytes),
        }

    def tables(self) -> str:
        """Their definitions."""
        made = [table(f"{self.name}_weight", self.encoding.weights, "weights, output by output")]
        if self.encoding.index is not None:
            made.append(table(f"{self.name}_index", self.encoding.index, f"index, {self.encoding.kind}"))
        return "\n".join([*made, *self.output_tables()])

    def output_tables(self) -> list[str]:
        """Those that have an entry for each output."""
        made = []
        if self.has_bias:
            made.append(table(f"{self.name}_bias", self.stored_bias, "biases"))
        if self.multiplier is not None:
            made.append(table(f"{self.name}_multiplier", self.multiplier, "multipliers"))
        return made

    def function(self) -> str:
        """Its definition: reads x, writes y."""
        affine = self.encoding.affine
        body = [*self._declarations(), "", *self._loop(), *([] if affine is None else ["#undef N_BLOCKS"])]
        head = [] if affine is None else [f"#define N_BLOCKS {self.shape.n_blocks}"]
        lines = [
            f"/* {self.words} */",
            *head,
            f"static void {self.name}(const {self.reads} *x, {self.gives} *y)",
            "{",
        ]
        return "\n".join([*lines, *inside(body), "}", ""])

    def _declarations(self) -> list[str]:
        encoding = self.encoding
        w = f"const {'float' if self.integer is None else 'int8_t'} *w = {self.name}_weight;"
        lines = [w]
        if encoding.index is not None:
            kind = "uint16_t" if encoding.kind == "u16" else "uint8_t"
            lines.append(f"const {kind} *index = {self.name}_index;")
        if encoding.affine is not None:
            lines.append(f"uint32_t at = {encoding.affine.offset};")
        lines.append("uint_fast16_t o;")
        return lines

    @cached_property
    def rows(self) -> Rows:
        """How its rows are added up."""
        return Rows(self.encoding, integers=self.integer is not None)

    def _loop(self) -> list[str]:
        encoding, n_out = self.encoding, self.shape.n_out
        g, c = encoding.together, encoding.block[1]
        if c <= g or encoding.kind == "dense":
            return [f"for (o = 0; o < {n_out}; o += {g}) {{", *inside(self._group("o")), "}"]
        # All c outputs of a block go through the same index.
        again = "index" if encoding.index is not None else "at"
        kind = (
            f"const {'uint16_t' if encoding.kind == 'u16' else 'uint8_t'} *"
            if again == "index"
            else "uint32_t "
        )
        return [
            f"for (o = 0; o < {n_out}; o += {c}) {{",
            f"    {kind}start = {again};",
            "    uint_fast16_t j;",
            f"    for (j = o; j < o + {c}; j += {g}) {{",
            *inside([f"{again} = start;", *self._group("j")], 2),
            "    }",
            "}",
        ]

    def _group(self, o: str) -> list[str]:
        """Rows that are added up together, from output o on."""
        kind, g = "float" if self.integer is None else "int32_t", self.encoding.together
        places = [o, *(f"{o} + {j}" for j in range(1, g))]
        lines = [f"{kind} sum[{g}];"]
        for j, place in enumerate(places):
            start = read(self.stored_bias, f"{self.name}_bias + {place}") if self.has_bias else "0"
            lines.append(f"sum[{j}] = {start};")
        lines += self.rows.call()
        return [*lines, *(result(self, place, f"sum[{j}]") for j, place in enumerate(places))]


def result(junction: CJunction, o: str, value: str) -> str:
    """What becomes of the sum of output o."""
    integer = junction.integer
    if integer is None:
        return f"y[{o}] = {value} > 0 ? {value} : 0;" if junction.relu else f"y[{o}] = {value};"
    scaling = integer.scaling
    if scaling is None:
        return f"y[{o}] = {value} > 0 ? {value} : 0;" if integer.floor == 0 else f"y[{o}] = {value};"
    if junction.multiplier is not None:
        multiplier = read(junction.multiplier, f"{junction.name}_multiplier + {o}")
    else:
        multiplier = f"{int(scaling.multiplier[0])}u"
    return f"y[{o}] = symbol({value}, {multiplier}, {scaling.lift}, {scaling.shift}, {scaling.limit});"
