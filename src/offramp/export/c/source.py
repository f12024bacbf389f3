"""The .c file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offramp.codec import GriddedCodec
from offramp.codec.ranged import RangeCodec
from offramp.export.c.junctions import CJunction
from offramp.export.c.program import Program
from offramp.export.c.rows import piece
from offramp.export.c.text import float_number, table

_PRELUDE = """\
#include "{prefix}.h"

#include <string.h>

/* Tables lie in flash, which an AVR reads by instructions of its own. */
#if defined(__AVR__)
#include <avr/pgmspace.h>
#define ROM PROGMEM
#define READ_I8(p) ((int8_t)pgm_read_byte(p))
#define READ_U8(p) pgm_read_byte(p)
#define READ_I16(p) ((int16_t)pgm_read_word(p))
#define READ_U16(p) pgm_read_word(p)
#define READ_I32(p) ((int32_t)pgm_read_dword(p))
#define READ_F32(p) pgm_read_float(p)
#else
#define ROM
#define READ_I8(p) (*(p))
#define READ_U8(p) (*(p))
#define READ_I16(p) (*(p))
#define READ_U16(p) (*(p))
#define READ_I32(p) (*(p))
#define READ_F32(p) (*(p))
#endif

/* Several products at once, where a processor can; -DOFFRAMP_SCALAR does without. Results are the same. */
#if defined(__ARM_FEATURE_MVE) && !defined(__ARM_BIG_ENDIAN) && !defined(OFFRAMP_SCALAR)
#define DO_MVE 1
#include <arm_mve.h>
#endif
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_BIG_ENDIAN) && !defined(OFFRAMP_SCALAR)
#define DO_DSP 1
#include <arm_acle.h>
#endif
#ifndef DO_MVE
#define DO_MVE 0
#endif
#ifndef DO_DSP
#define DO_DSP 0
#endif

/* For loops with many sums, which would run out of registers within another. */
#if defined(__GNUC__)
#define NOT_INLINED __attribute__((noinline))
#else
#define NOT_INLINED
#endif

/* With -DOFFRAMP_TRACE everything that is computed is shown to this function, layer by layer. */
#ifdef OFFRAMP_TRACE
extern void offramp_trace(const void *from, uint32_t n_bytes);
#define TRACE(from, n) offramp_trace(from, (uint32_t)((n) * sizeof *(from)))
#else
#define TRACE(from, n)
#endif

#define N_CLASSES {n_classes}
#define N_SENT {n_sent}
"""


def source(program: Program) -> str:
    """Its text."""
    sections = [
        f"/* {program.bundle.name}: see {program.prefix}.h. Written by offramp export c. */",
        prelude(program.prefix, n_classes=len(program.bundle.classes), n_sent=program.n_sent),
        *_junctions(program),
        *program.inputs.tables(),
        _head(program),
        *_exit(program),
        *_encode(program),
        *_tail(program),
    ]
    return "\n".join(sections)


def prelude(prefix: str, *, n_classes: int, n_sent: int) -> str:
    """What stands before everything else: how tables are read, what the processor can do."""
    return _PRELUDE.format(prefix=prefix, n_classes=n_classes, n_sent=n_sent)


def _junctions(program: Program) -> list[str]:
    tables, by_output, functions = [], [], []
    for name, junctions in program.parts.items():
        for number, junction in enumerate(junctions):
            if name == "head" and number == 0 and program.streamed is not None:
                tables.append(program.streamed.tables())
                functions.append(program.streamed.functions())
            else:
                tables.append(junction.tables())
                by_output.append(junction)
                functions.append(junction.function())
    shared = [piece("integers")] if program.numbers == "int8" else []
    return [*tables, *shared, *rows_of(by_output), *functions]


def rows_of(junctions: Sequence[CJunction]) -> list[str]:
    """The functions that junctions share, each once."""
    rows = {junction.rows.name: junction.rows.function() for junction in junctions}
    pairs = [piece("pairs")] if any("odd_weights(" in row for row in rows.values()) else []
    return [*pairs, *rows.values()]


def _chain(
    junctions: list[CJunction], reads: str, writes: str, between: str = "hidden"
) -> tuple[list[str], list[str]]:
    """The arrays between junctions, and calls of these one after the other."""
    lines, calls = [], []
    for number, junction in enumerate(junctions):
        to = writes if number == len(junctions) - 1 else f"{between}_{number + 1}"
        if to != writes:
            lines.append(f"    {junction.gives} {to}[{junction.shape.n_out}];")
        calls += [f"    {junction.name}({reads}, {to});", f"    TRACE({to}, {junction.shape.n_out});"]
        reads = to
    return lines, calls


def _function(signature: str, declared: list[str], called: list[str]) -> str:
    return "\n".join([signature, "{", *declared, *called, "}", ""])


def _head(program: Program) -> str:
    p, junctions, inputs = program.prefix, program.parts["head"], program.inputs
    signature = f"void {p}_head(const {p}_input *sample, {p}_feature *features)"
    if program.streamed is not None:
        return _streamed_head(program, signature)
    if inputs.as_they_are:
        return _function(signature, *_chain(junctions, "sample", "features"))
    declared, called = _chain(junctions, "input", "features")
    declared.insert(0, f"    {inputs.type} input[{program.n_inputs}];")
    return inputs.array() + "\n" + _function(signature, declared, ["    inputs_of(sample, input);", *called])


def _streamed_head(program: Program, signature: str) -> str:
    """The head over a whole sample, and value by value."""
    p, (first, *rest), inputs = program.prefix, program.parts["head"], program.inputs
    kind, n_sums = "int32_t" if program.numbers == "int8" else "float", first.shape.n_out
    to = "hidden_0" if rest else "features"
    declared, called = _chain(rest, to, "features")
    if rest:
        declared.insert(0, f"    {first.gives} hidden_0[{n_sums}];")
    called = [f"    {first.name}_finish(sums, {to});", f"    TRACE({to}, {n_sums});", *called]
    behind = _function(f"static void {p}_behind(const {kind} *sums, {p}_feature *features)", declared, called)
    whole = [f"    {kind} sums[{n_sums}];", f"    {first.name}_clear(sums);"]
    whole += [f"    {line}" for line in inputs.each(f"{first.name}_add")]
    return "\n".join(
        [
            "/* What follows the first junction's sums. */",
            behind,
            _function(signature, whole, [f"    {p}_behind(sums, features);"]),
            _function(
                f"void {p}_begin({p}_stream *stream)",
                [],
                ["    memset(stream, 0, sizeof *stream);", f"    {first.name}_clear(stream->sums);"],
            ),
            _function(
                f"void {p}_push({p}_stream *stream, {p}_input value)",
                [],
                [f"    {line}" for line in inputs.pushed(f"{first.name}_add")],
            ),
            _function(
                f"void {p}_end(const {p}_stream *stream, {p}_feature *features)",
                [],
                [f"    {p}_behind(stream->sums, features);"],
            ),
        ]
    )


def _exit(program: Program) -> list[str]:
    rule = program.rule
    p, junctions = program.prefix, program.parts["exit"]
    made: list[str] = []
    if program.numbers == "int8":
        distance = rule.distance
        made.append(
            f"#define SCORE int32_t\n#define DISTANCE_MULTIPLIER {distance.multiplier}u\n"
            f"#define DISTANCE_SHIFT {distance.shift}\n#define DISTANCE_LIFT {distance.lift}\n"
            "/* Whether a score is so near to the best that its share is not 0. */\n"
            f"#define IS_NEAR(best, score) ((uint32_t)(best) - (uint32_t)(score) < UINT32_C({rule.n_near}))\n"
        )
        made.append(piece("octaves_int"))
    else:
        made.append(
            "#define SCORE float\n#define IS_NEAR(best, score) true\n"
            f"#define DISTANCE {float_number(np.float32(rule.octaves_per_unit))}\n"
        )
        made.append(piece("octaves_float"))
    criterion = rule.rule.criterion
    if criterion != "learned":
        made.append(piece("exp2"))
    if criterion == "entropy":
        made.append(piece("log2"))
    if criterion == "learned":
        weights, constant, _ = rule.learned
        made.append(f"#define LEARNED_CONSTANT ({constant})\n")
        made.append(table("learned_weight", np.array(weights, np.int16), "weights by rank"))
    made.append(piece(f"level_{criterion}"))
    level = rule.threshold_level
    threshold = "INT32_MIN" if level == -(2**31) else f"({level})"
    scores = "int32_t" if program.numbers == "int8" else "float"
    declared, called = _chain(junctions, "features", "scores")
    body = [
        f"{p}_verdict {p}_exit(const {p}_feature *features)",
        "{",
        f"    {scores} scores[N_CLASSES];",
        *declared,
        f"    {p}_verdict verdict;",
        "    uint_fast16_t i, best = 0;",
        *called,
        "    for (i = 1; i < N_CLASSES; i++) {",
        "        best = scores[i] > scores[best] ? i : best;",
        "    }",
        "    verdict.label = (uint16_t)best;",
        "    verdict.level = level_of(scores, best);",
        f"    verdict.sure = verdict.level >= {threshold};",
        "    return verdict;",
        "}",
        "",
    ]
    return [*made, "\n".join(body)]


def _encode(program: Program) -> list[str]:
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
    return _function(f"uint16_t {p}_encode(const {p}_feature *features, uint8_t *coded)", declared, called)


def _sent(program: Program) -> tuple[list[str], list[str]]:
    """From `features` to `sent`, where there is an encoder."""
    if "encoder" not in program.parts:
        return [], []
    declared, called = _chain(program.parts["encoder"], "features", "sent")
    return [f"    {program.feature} sent[N_SENT];", *declared], called


def _tail(program: Program) -> list[str]:
    tail = program.parts.get("tail")
    if tail is None:
        return []
    declared, called = _sent(program)
    values = "sent" if "encoder" in program.parts else "features"
    if program.numbers == "int8":
        declared.append("    float values[N_SENT];")
        called.append(f"    values_of({values}, values);")
        values = "values"
    between, calls = _chain(tail, values, "scores", between="tail")
    return [
        _function(
            f"void {program.prefix}_tail(const {program.prefix}_feature *features, float *scores)",
            [*declared, *between],
            [*called, *calls],
        )
    ]
