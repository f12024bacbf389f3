"""Functions of C that call junctions one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from offramp.export.c.junctions import CJunction


def chain(
    junctions: Sequence[CJunction], reads: str, writes: str, between: str = "hidden"
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


def function(signature: str, declared: list[str], called: list[str]) -> str:
    """A function's definition: declarations, then the rest, both indented already."""
    return "\n".join([signature, "{", *declared, *called, "}", ""])
