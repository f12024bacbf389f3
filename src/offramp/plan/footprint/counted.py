"""A footprint without a compiler: tables as they are written, code and counts by the prices of costs.csv."""

from __future__ import annotations

import re

from offramp.export.c import CJunction, Program, source
from offramp.export.c.costs import Key, Price, prices
from offramp.plan.footprint.parts import (
    buffers,
    chosen,
    functions,
    junction_footprints,
    junctions,
    priced,
    tables,
)
from offramp.plan.footprint.record import Footprint
from offramp.targets import Target

OWN_COUNT = "own count"
_FRAME_BYTES = 72  # of registers and return addresses, along the deepest calls


def counted(program: Program, target: Target, *, zero_share: float = 0.0) -> Footprint:
    """A footprint by our own count.

    Args:
        zero_share: of the head's inputs.

    Raises:
        ConfigError: a target without prices.
    """
    text = source(program)
    one = {
        name: chosen(program, junction, priced(program, junction, target.name, zero_share))
        for name, junction in junctions(program)
    }
    by_junction = {
        name: round(one[name].count + symbol_count(program, target.name, junction))
        for name, junction in junctions(program)
    }
    by_junction["head 1"] += round(_rest(program, target.name, reads(program)).output * program.inputs.n_raw)
    code = sum(_rest(program, target.name, kind).code_bytes for kind in rest_kinds(program))
    code += junction_code(program, target.name)
    return Footprint(
        target=target.name,
        numbers=program.numbers,
        streaming=program.streamed is not None,
        unit=target.unit,
        measured_by=OWN_COUNT,
        flash={"code": round(code), **tables(program, text)},
        ram={"static": 0, **buffers(program)},
        stack=_stack(program, text),
        stack_unknown=(),
        counts=_counts(program, target.name, by_junction),
        pushed=None,
        junctions=junction_footprints(program, target.name, by_junction, zero_share),
    )


def rest_kinds(program: Program) -> tuple[str, ...]:
    """What a program has beside its junctions, as costs.csv calls it."""
    codec = program.bundle.codec.name.replace("int4", "int8")  # they differ in how two symbols are one byte
    return ("base", reads(program), f"exit {program.rule.rule.criterion}", f"encode {codec}")


def reads(program: Program) -> str:
    """How raw values become inputs, as costs.csv calls it."""
    if program.inputs.as_they_are:
        return "read as they are"
    if program.inputs.by_words:
        return "read by words"
    return "read pooled" if program.bundle.preprocessing.pool > 1 else "read scaled"


def symbol_count(program: Program, target: str, junction: CJunction) -> float:
    """What a junction's sums take to become symbols."""
    scaled = junction.integer is not None and junction.integer.scaling is not None
    return _rest(program, target, "symbol").output * junction.shape.n_out * scaled


def junction_code(program: Program, target: str) -> int:
    """Bytes of the junctions' functions; what several share is there once."""
    made: dict[str, int] = {}
    for name, junction in junctions(program):
        one = chosen(program, junction, priced(program, junction, target, 0.0))
        made |= {name: one.code_bytes, junction.rows.name: one.rows_bytes}
    return sum(made.values())


def _rest(program: Program, target: str, kind: str) -> Price:
    return prices().get(Key(target, program.numbers, "rest", kind, 0, 0), Price())


def _counts(program: Program, target: str, by_junction: dict[str, int]) -> dict[str, int]:
    def part(name: str) -> int:
        return sum(count for junction, count in by_junction.items() if junction.startswith(f"{name} "))

    _, _, exit, encode = (_rest(program, target, kind).output for kind in rest_kinds(program))
    return {
        "head": part("head"),
        "exit": part("exit") + round(exit * len(program.bundle.classes)),
        "encode": part("encoder") + round(encode * program.n_sent),
    }


def _stack(program: Program, text: str) -> dict[str, int]:
    """Arrays of the functions that are called, and a frame."""
    sizes = {"N_CLASSES": len(program.bundle.classes), "N_SENT": program.n_sent}
    bytes_of = {"uint8_t": 1, "int32_t": 4, "float": 4}
    made = {}
    for name in functions(program):
        body = re.search(rf"^\w+ {program.prefix}_{name}\(.*?^}}", text, re.MULTILINE | re.DOTALL)
        assert body is not None
        arrays = re.findall(r"^    (uint8_t|int32_t|float) \w+\[(\w+)\];", body[0], re.MULTILINE)
        made[name] = _FRAME_BYTES + sum(bytes_of[kind] * int(sizes.get(n, 0) or n) for kind, n in arrays)
    return made
