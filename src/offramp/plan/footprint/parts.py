"""What is told of a program without building it: its tables, its buffers, its junctions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from offramp.export.c import CJunction, Program
from offramp.export.c.costs import Priced, by_input, candidates
from offramp.plan.footprint.record import Candidate, JunctionFootprint

TABLE_KINDS = {"weight": "weights", "index": "index", "bias": "biases", "multiplier": "multipliers"}
_TABLE = re.compile(r"^static const (\w+) (\w+)\[(\d+)\] ROM", re.MULTILINE)
_ELEMENT = {"uint8_t": 1, "float": 4}
_N_BYTES = {"int8_t": 1, "uint8_t": 1, "int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4, "float": 4}


def tables(program: Program, text: str, linked: Collection[str] | None = None) -> dict[str, int]:
    """Bytes of the constant tables of a program's C, by kind.

    Args:
        linked: names of those that count; None for all.
    """
    owners = {junction.name for _, junction in junctions(program)}
    made = dict.fromkeys([*TABLE_KINDS.values(), "tables"], 0)
    for kind, name, n in _TABLE.findall(text):
        if linked is None or name in linked:
            owner, _, ending = name.rpartition("_")
            made[TABLE_KINDS[ending] if owner in owners else "tables"] += _N_BYTES[kind] * int(n)
    return made


def buffers(program: Program) -> dict[str, int]:
    """Bytes that the caller must have for a sample."""
    raw, element = _ELEMENT[program.inputs.raw], _ELEMENT[program.inputs.type]
    given = {"sample": raw * program.n_sample}
    if program.streamed is not None:
        members = 4 * program.parts["head"][0].shape.n_out + program.inputs.state_bytes
        given = {"stream": -(-members // 4) * 4}  # a struct ends where its sums would go on
    coded = program.bundle.codec.max_bytes(program.n_sent)
    return given | {"features": element * program.n_features, "coded": coded}


def functions(program: Program) -> tuple[str, ...]:
    """What a caller calls for a sample, in order."""
    head = ("head",) if program.streamed is None else ("begin", "push", "end")
    return (*head, "exit", "encode")


def junctions(program: Program) -> Iterator[tuple[str, CJunction]]:
    """In the order in which they are computed, but for the tail."""
    for part in ("head", "exit", "encoder"):
        for number, junction in enumerate(program.parts.get(part, ()), start=1):
            yield f"{part} {number}", junction


def is_streamed(program: Program, junction: CJunction) -> bool:
    return program.streamed is not None and program.streamed.junction is junction


def table_bytes(program: Program, junction: CJunction) -> dict[str, int]:
    """Of one junction, as it is written."""
    if program.streamed is not None and is_streamed(program, junction):
        return program.streamed.table_bytes
    return junction.table_bytes


def priced(program: Program, junction: CJunction, target: str, zero_share: float) -> list[Priced]:
    """Every way to write a junction, the least flash first."""
    made = candidates(junction.shape, target=target)
    if program.streamed is not None and is_streamed(program, junction):
        made.append(by_input(program.streamed, target=target, zero_share=zero_share))
    return sorted(made, key=lambda one: (one.flash_bytes, one.count))


def chosen(program: Program, junction: CJunction, priced: list[Priced]) -> Priced:
    """The one that the program has."""
    if is_streamed(program, junction):
        return next(one for one in priced if one.encoding is None)
    wanted = junction.encoding.kind, junction.encoding.together
    return next(one for one in priced if (one.kind, one.together) == wanted)


def junction_footprints(
    program: Program, target: str, counts: Mapping[str, int], zero_share: float
) -> tuple[JunctionFootprint, ...]:
    """Every junction, with the count that was found for it."""
    made = []
    for name, junction in junctions(program):
        prices = priced(program, junction, target, zero_share)
        one, shape = chosen(program, junction, prices), junction.shape
        made.append(
            JunctionFootprint(
                name,
                shape.n_in,
                shape.n_out,
                shape.in_degree,
                shape.block if one.encoding is None else one.encoding.block,
                one.kind,
                one.together,
                table_bytes(program, junction),
                counts[name],
                tuple(Candidate(each.kind, each.together, each.flash_bytes, each.count) for each in prices),
            )
        )
    return tuple(made)
