"""Synthetic junctions in C, each with a function that a program can call and count."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offramp import pattern
from offramp.export.c import CJunction, Encoding, Shape, encodings
from offramp.export.c.costs import input_terms, output_terms
from offramp.export.c.source import prelude, rows_of
from offramp.export.c.streaming import StreamedJunction
from offramp.int8 import IntegerJunction
from offramp.targets import Target

SIDES = {"int8": {"farther": (1, 8)}, "float32": {"u16": (), "farther": ()}}  # the others have all, or ends
ALL_SIDES = {"int8": (1, 2, 4, 8), "float32": (1, 8)}  # floats have no instruction that takes several at once
OUTPUT_SIDES = (1, 2, 4)
TOGETHER = {"int8": (1, 2, 5), "float32": (1, 5)}  # between them it is a line
N_BLOCKS = {"affine": 67, "u8": 64, "u16": 64, "delta": 320, "farther": 320}
# Rows of blocks, and blocks in each; short loops would be unrolled as those of real junctions are not.
SIZES = ((12, 12), (12, 28), (24, 12), (16, 19))
AGAIN_SIZES = ((16, 19),)  # where rows of one index are added up in several rounds
DENSE_SIZES = ((12, 20), (12, 68), (30, 20), (24, 36))
STREAMED_SIZES = ((32, 16, 8), (64, 16, 4), (64, 32, 8), (32, 48, 24))  # inputs, outputs, out-degree
SHARES = (0.0, 0.5, 0.9)  # of inputs that are 0
_OTHER_BYTES = 500  # of RAM: the harness, and the stack


@dataclass(frozen=True)
class Case:
    """A junction, and what its price is to be explained by.

    Args:
        key: numbers, way, kind, together and side.
        terms: by name of costs.TERMS.
    """

    key: tuple[str, str, str, int, int]
    terms: dict[str, float]
    junction: CJunction
    streamed: StreamedJunction | None = None

    @cached_property
    def table_bytes(self) -> int:
        return sum((self.streamed or self.junction).table_bytes.values())

    @property
    def n_in(self) -> int:
        return self.junction.shape.n_in


def cases(target: Target) -> Iterator[Case]:
    """All that the target's RAM has room for."""
    return (case for case in _all() if ram_bytes([case]) <= target.ram_bytes)


def ram_bytes(batch: list[Case]) -> int:
    """What a program with these cases takes: inputs, outputs, and sums on the stack."""
    x_bytes = max(case.n_in * (1 if case.junction.reads == "uint8_t" else 4) for case in batch)
    n_out = max(case.junction.shape.n_out for case in batch)
    n_sums = max(case.junction.shape.n_out if case.streamed else 0 for case in batch)
    return x_bytes + 4 * n_out + 4 * n_sums + _OTHER_BYTES


def _all() -> Iterator[Case]:
    for numbers in ("int8", "float32"):
        integers = numbers == "int8"
        for together in TOGETHER[numbers]:
            for n_rows, n_in in DENSE_SIZES:
                yield _by_output(integers, "dense", together, (1, 1), n_rows * together, n_in)
            for kind in N_BLOCKS:
                for r in SIDES[numbers].get(kind, ALL_SIDES[numbers]):
                    for n_rows, per_row in SIZES:
                        yield _by_output(integers, kind, together, (r, together), n_rows * together, per_row)
                    for n_rows, per_row in AGAIN_SIZES:
                        c = 2 * together
                        yield _by_output(integers, kind, together, (r, c), n_rows * c, per_row)
        for kind, c in (("dense", 1), *(("u8", c) for c in OUTPUT_SIDES)):
            for n_in, n_out, out_degree in STREAMED_SIZES:
                for share in SHARES if integers else (0.0,):
                    yield _by_input(integers, kind, c, (n_in, n_out, out_degree), share)


def _by_output(
    integers: bool, kind: str, together: int, block: tuple[int, int], n_out: int, per_row: int
) -> Case:
    r, c = block
    rng = np.random.default_rng([r, c, n_out, per_row])
    blocks = n_out // c
    n_blocks = per_row if kind == "dense" else N_BLOCKS[kind]
    if kind == "affine":
        table = np.sort((5 * np.arange(blocks * per_row).reshape(blocks, per_row) + 3) % n_blocks, axis=1)
    else:
        choice = np.arange(n_blocks)
        if kind == "farther":  # one gap of 255 or more in each row
            choice = np.r_[0:28, n_blocks - 28 : n_blocks]
        table = np.sort([_row(rng, choice, per_row) for _ in range(blocks)], axis=1)
    rows = rng.integers(-127, 128, (n_out, per_row * r)).astype(np.int8 if integers else np.float32)
    shape = Shape(n_blocks * r, n_out, block, table, rows)
    wanted = ("delta" if kind == "farther" else kind, together)
    encoding = next(one for one in encodings(shape) if (one.kind, one.together) == wanted)
    key = ("int8" if integers else "float32", "output", kind, together, r)
    return Case(key, output_terms(shape, encoding), _junction(shape, encoding, integers))


def _row(rng: np.random.Generator, choice: np.ndarray, per_row: int) -> np.ndarray:
    if len(choice) == 56:
        low = rng.choice(choice[:28], per_row - per_row // 2, replace=False)
        return np.r_[low, rng.choice(choice[28:], per_row // 2, replace=False)]
    return rng.choice(choice, per_row, replace=False)


def _by_input(integers: bool, kind: str, c: int, sizes: tuple[int, int, int], share: float) -> Case:
    n_in, n_out, out_degree = sizes
    made = pattern.block(n_in, n_out, n_out if kind == "dense" else out_degree, block=(1, c), seed=1)
    rng = np.random.default_rng(1)
    rows = rng.integers(-127, 128, (n_out, made.in_degree)).astype(np.int8 if integers else np.float32)
    shape = Shape(n_in, n_out, (1, c), made.table, rows)
    junction = _junction(shape, next(encodings(shape)), integers)
    given = n_in - round(share * n_in) if integers else n_in  # in float32 zeros are added too
    streamed = StreamedJunction(junction, n_in)
    key = ("int8" if integers else "float32", "input", kind, 1, c)
    return Case(key, input_terms(streamed, given), junction, streamed)


def _junction(shape: Shape, encoding: Encoding, integers: bool) -> CJunction:
    """With biases; it gives scores, as what follows costs the same in all encodings."""
    bias = np.arange(1, shape.n_out + 1) * 1000
    integer = None
    if integers:
        nothing = np.zeros((1, 1), np.int8)
        unit = np.ones(shape.n_out)
        integer = IntegerJunction(
            shape.n_in, shape.block, shape.table, nothing, bias.astype(np.int32), unit, None
        )
    return CJunction("", "", shape, encoding, integer, bias.astype(np.float32))


def sources(batch: list[Case]) -> dict[str, str]:
    """Files of a program that calls every case once, each as an interval.

    Each case is compiled alone: the compiler sees as few calls of what junctions share as in a real program.
    """
    files, calls = {}, []
    for number, case in enumerate(batch):
        name = f"case_{number}"
        files[f"{name}.c"] = _source(case, name)
        n = case.n_in
        n_zeros = n - int(case.terms["given"]) if case.streamed else 0
        fill = "fill(x" if case.junction.reads == "uint8_t" else "fill_floats((float *)input.bytes"
        calls.append(f"    {fill}, {n}, {n_zeros});\n")
        calls.append(f"    harness_start();\n    {name}_run(x, y);\n    harness_stop();\n")
    x_bytes = max(case.n_in * (4 if case.key[0] == "float32" else 1) for case in batch)
    n_out = max(case.junction.shape.n_out for case in batch)
    declared = "".join(f"void case_{i}_run(const void *x, void *y);\n" for i in range(len(batch)))
    files["cases.h"] = f"#include <stdbool.h>\n#include <stdint.h>\n{declared}"
    files["main.c"] = _MAIN.format(x_bytes=x_bytes, n_out=n_out, calls="".join(calls))
    return files


def _source(case: Case, name: str) -> str:
    junction = _named(case.junction, name)
    x, y = junction.reads, junction.gives
    if case.streamed:
        streamed = StreamedJunction(junction, case.streamed.n_values)
        tables, functions = streamed.tables(), [streamed.functions(), _run_by_input(streamed, name)]
    else:
        call = f"{name}((const {x} *)x, ({y} *)y);"
        tables = junction.tables()
        functions = [
            *rows_of([junction]),
            junction.function(),
            f"void {name}_run(const void *x, void *y) {{ {call} }}\n",
        ]
    text = "\n".join([prelude("cases", n_classes=1, n_sent=1), tables, *functions])
    return text.replace(junction.rows.name, f"{name}_{junction.rows.name}")  # each case has its own


def _named(junction: CJunction, name: str) -> CJunction:
    return CJunction(name, name, junction.shape, junction.encoding, junction.integer, junction.bias)


def _run_by_input(streamed: StreamedJunction, name: str) -> str:
    """As the head of an exported program reads a whole sample."""
    junction = streamed.junction
    sums = "float" if junction.integer is None else "int32_t"
    check = "value != 0" if junction.integer is not None else "true"
    return f"""\
void {name}_run(const void *from, void *y)
{{
    const {junction.reads} *x = (const {junction.reads} *)from;
    {sums} sums[{junction.shape.n_out}];
    uint_fast16_t i;
    {name}_clear(sums);
    for (i = 0; i < {streamed.n_values}; i++) {{
        const {junction.reads} value = x[i];
        if ({check}) {{
            {name}_add(sums, i, value);
        }}
    }}
    {name}_finish(sums, ({junction.gives} *)y);
}}
"""


_MAIN = """\
#include "harness.h"
#include "cases.h"

static union {{ uint8_t bytes[{x_bytes}]; float aligned; }} input;
static int32_t y[{n_out}];

/* Every value but the first n_zeros; of neighbours none is the same. */
static void fill(uint8_t *x, uint16_t n, uint16_t n_zeros)
{{
    uint16_t i;
    for (i = 0; i < n; i++) {{
        x[i] = i < n_zeros ? 0 : (uint8_t)(1 + i * 37 % 255);
    }}
}}

static void fill_floats(float *x, uint16_t n, uint16_t n_zeros)
{{
    uint16_t i;
    for (i = 0; i < n; i++) {{
        x[i] = i < n_zeros ? 0.0f : (float)(1 + i * 37 % 255) / 64.0f;
    }}
}}

int main(void)
{{
    uint8_t *x = input.bytes;
    (void)fill_floats;
    (void)fill;
{calls}
    return 0;
}}
"""
