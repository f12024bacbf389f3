"""What lies behind the features in C: encoder, the codec's bytes, and the tail where it is there too."""

from __future__ import annotations

import numpy as np

from offramp.codec import GriddedCodec
from offramp.codec.ranged import RangeCodec
from offramp.export.c.functions import chain, function
from offramp.export.c.program import Program
from offramp.export.c.rows import piece
from offramp.export.c.text import table


def encode(program: Program) -> list[str]:
    """`PREFIX_encode`, from features to the codec's bytes, and what it needs."""
    p, codec = program.prefix, program.bundle.codec
    grid, integers = program.sent_grid, program.numbers == "int8"
    gridded = isinstance(codec, GriddedCodec)
    made: list[str] = []
    needs_levels = not (integers and gridded) or "tail" in program.parts
    if needs_levels and grid is not None:
        low, step = np.array(grid.low, np.float32), np.array(grid.step, np.float32)
        made += [table(f"{p}_step", step, "of the sent values' grid")]
        if low.any():
            made += [table(f"{p}_low", low, "of the sent values' grid")]
    if gridded:
        assert grid is not None
        made.append(piece("pack8" if grid.bits == 8 else "pack4"))
        kind = codec.name.partition("-")[2] or "plain"
        if kind != "plain":
            made.append(piece("trimmed"))
        if kind == "zeros":
            if grid.zero.any():
                made.append(table(f"{p}_zero", grid.zero, "the symbols of 0"))
            zero = f"READ_U8({p}_zero + (i))" if grid.zero.any() else "0"
            made.append(f"#define ZERO_SYMBOL(i) {zero}\n")
        if isinstance(codec, RangeCodec):
            frequencies = np.array(codec.frequencies, np.uint16)
            made.append(f"#define SYMBOL_BITS {grid.bits}\n")
            made.append(table("frequencies", frequencies, "of symbols, by feature"))
        made.append(piece(f"code_{kind}"))
        if not integers:
            made.append(piece("grid_symbol"))
    else:
        made.append(piece(f"code_{codec.name}"))
    if integers and (not gridded or "tail" in program.parts):
        made.append(_values(program))
    made.append(_encode_function(program, gridded))
    return made


def _values(program: Program) -> str:
    """Symbols to the values that they stand for."""
    p, grid = program.prefix, program.sent_grid
    assert grid is not None
    low = f" + READ_F32({p}_low + i)" if any(grid.low) else ""
    return "\n".join(
        [
            "/* What the symbols of sent values stand for. */",
            "static void values_of(const uint8_t *q, float *values)",
            "{",
            "    uint16_t i;",
            "    for (i = 0; i < N_SENT; i++) {",
            f"        float x = (float)q[i] * READ_F32({p}_step + i);",
            f"        values[i] = x{low};",
            "    }",
            "}",
            "",
        ]
    )


def _encode_function(program: Program, gridded: bool) -> str:
    p, integers, grid = program.prefix, program.numbers == "int8", program.sent_grid
    encoder = program.parts.get("encoder")
    sent = "sent" if encoder else "features"
    declared, called = _sent(program)
    if integers and not gridded:
        declared.append("    float values[N_SENT];")
        called.append(f"    values_of({sent}, values);")
        sent = "values"
    if not integers and gridded:
        assert grid is not None
        low = f"READ_F32({p}_low + i)" if any(grid.low) else "0.0f"
        declared += ["    uint8_t symbols[N_SENT];", "    uint_fast16_t i;"]
        called += [
            "    for (i = 0; i < N_SENT; i++) {",
            f"        symbols[i] = level_on_grid({sent}[i], {low}, READ_F32({p}_step + i),"
            f" {grid.n_levels - 1}.0f);",
            "    }",
        ]
        sent = "symbols"
    called.append(f"    return code({sent}, coded);")
    return function(f"uint16_t {p}_encode(const {p}_feature *features, uint8_t *coded)", declared, called)


def _sent(program: Program) -> tuple[list[str], list[str]]:
    """From `features` to `sent`, where there is an encoder."""
    if "encoder" not in program.parts:
        return [], []
    declared, called = chain(program.parts["encoder"], "features", "sent")
    return [f"    {program.feature} sent[N_SENT];", *declared], called


def tail(program: Program) -> list[str]:
    """`PREFIX_tail` in float32, where the tail is on the device too."""
    junctions = program.parts.get("tail")
    if junctions is None:
        return []
    declared, called = _sent(program)
    values = "sent" if "encoder" in program.parts else "features"
    if program.numbers == "int8":
        declared.append("    float values[N_SENT];")
        called.append(f"    values_of({values}, values);")
        values = "values"
    between, calls = chain(junctions, values, "scores", between="tail")
    return [
        function(
            f"void {program.prefix}_tail(const {program.prefix}_feature *features, float *scores)",
            [*declared, *between],
            [*called, *calls],
        )
    ]
