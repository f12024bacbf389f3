"""The .h file."""

from __future__ import annotations

from offramp.export.c.program import Program


def header(program: Program) -> str:
    """Its text, with Doxygen comments."""
    bundle, p, u = program.bundle, program.prefix, program.upper
    integers = program.numbers == "int8"
    raw = program.inputs.raw
    sections = [
        f"""\
/**
 * @file {p}.h
 * @brief The device's side of the split network "{bundle.name}", in {program.numbers}.
 *
 * Written by offramp export c.
 *
 * ISO C99, no memory of its own, nothing allocated: every function may be called from several threads
 * at once.
 * {_how(program)}
 */
#ifndef {u}_H
#define {u}_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

/** Values of a raw sample: {" x ".join(map(str, bundle.preprocessing.shape))}. */
#define {u}_N_RAW {program.inputs.n_raw}
/** Elements of the array that holds one{_room(program)}. */
#define {u}_N_INPUTS {program.n_sample}
/** Features at the cut, between head and exit. */
#define {u}_N_FEATURES {program.n_features}
/** Values that are sent. */
#define {u}_N_SENT {program.n_sent}
/** Classes that the exit tells apart. */
#define {u}_N_CLASSES {len(bundle.classes)}
/** The most bytes that one sample takes on the wire. */
#define {u}_MAX_CODED_BYTES {bundle.codec.max_bytes(program.n_sent)}
/** What a request to the tail says of whose features it carries: head_digest, codec and codec_digest. */
#define {u}_HEAD_DIGEST "{bundle.features_digest}"
#define {u}_CODEC "{bundle.codec.name}"
#define {u}_CODEC_DIGEST "{bundle.codec.digest}"

/** An element of a raw sample{"" if raw == "uint8_t" else "; finite"}. */
typedef {raw} {p}_input;
/** A feature{": the symbol of a grid, docs/formats/int8.md of offramp" if integers else ""}. */
typedef {program.feature} {p}_feature;
""",
        f"""\
/**
 * @brief Features of a sample.
 * @param sample {u}_N_INPUTS elements, in C order{_alignment(program)}.
 * @param[out] features {u}_N_FEATURES elements.
 */
void {p}_head(const {p}_input *sample, {p}_feature *features);
""",
        *_streaming(program),
        *_exit(program),
        f"""\
/**
 * @brief Features as the bytes that the tail reads, coded as {bundle.codec.name}.
 * @param features {u}_N_FEATURES elements.
 * @param[out] coded room for {u}_MAX_CODED_BYTES bytes.
 * @return how many bytes were written, 1 or more.
 */
uint16_t {p}_encode(const {p}_feature *features, uint8_t *coded);
""",
        *_tail(program),
        f"""\
#ifdef __cplusplus
}}
#endif

#endif /* {u}_H */
""",
    ]
    return "\n".join(sections)


def _how(program: Program) -> str:
    p = program.prefix
    sure = f"Where {p}_exit is sure, its label is the answer; else the bytes of {p}_encode go to the tail."
    return f"{p}_head makes features of a raw sample.\n * {sure}"


def _room(program: Program) -> str:
    if program.n_sample == program.inputs.n_raw:
        return ""
    return f"; it does not matter what stands behind the first {program.inputs.n_raw}"


def _alignment(program: Program) -> str:
    return "; the first at a multiple of 4 bytes" if program.inputs.by_words else ""


def _streaming(program: Program) -> list[str]:
    if program.streamed is None:
        return []
    p, u = program.prefix, program.upper
    n = program.streamed.junction.shape.n_out
    sums = "int32_t" if program.numbers == "int8" else "float"
    state = "\n    ".join(program.inputs.state())
    return [
        f"""\
/** A sample under way, where there is no room for a whole one. */
typedef struct {{
    {sums} sums[{n}]; /**< of the first junction's outputs */
    {state}
}} {p}_stream;

/** @brief Begin a sample. */
void {p}_begin({p}_stream *stream);

/**
 * @brief Take the next raw value; {u}_N_RAW of them make a sample, more are ignored.
 * @param stream begun.
 * @param value in C order.
 */
void {p}_push({p}_stream *stream, {p}_input value);

/**
 * @brief Features of the values that were pushed.
 * @param stream with {u}_N_RAW values.
 * @param[out] features {u}_N_FEATURES elements.
 */
void {p}_end(const {p}_stream *stream, {p}_feature *features);
"""
    ]


def _exit(program: Program) -> list[str]:
    p, u, rule = program.prefix, program.upper, program.rule.rule
    guarantee = str(rule.evidence.get("guarantee", "")).replace("*/", "* /")
    certified = f"\n * {guarantee}" if guarantee else ""
    classes = ", ".join(program.bundle.classes[:20]).replace("*/", "* /").replace("\\", "/")
    return [
        f"""\
/** What the exit says. */
typedef struct {{
    uint16_t label; /**< the class, 0 to {u}_N_CLASSES - 1: {classes} */
    bool sure; /**< whether it may answer: level is at least the threshold's */
    int32_t level; /**< how sure it is by {rule.criterion}; larger is surer */
}} {p}_verdict;

/**
 * @brief The exit's word on features; where it is sure, it is the answer.{certified}
 * @param features {u}_N_FEATURES elements.
 */
{p}_verdict {p}_exit(const {p}_feature *features);
"""
    ]


def _tail(program: Program) -> list[str]:
    if "tail" not in program.parts:
        return []
    p, u = program.prefix, program.upper
    return [
        f"""\
/**
 * @brief The tail's scores, computed here in float32: what the server would say.
 * @param features {u}_N_FEATURES elements.
 * @param[out] scores {u}_N_CLASSES elements, the largest is that of the answer.
 */
void {p}_tail(const {p}_feature *features, float *scores);
"""
    ]
