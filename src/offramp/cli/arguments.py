"""Values that people type: lists of widths, blocks, counts. What cannot be read names its option."""

import math
import re

import typer

from offramp.system import AUTO

_PLACE = re.compile(r"(head|tail)-[1-9][0-9]{0,3}")


def widths(text: str, option: str) -> tuple[int, ...]:
    """Widths of layers, as in "64,40,40,10"; AUTO where the text says auto."""
    return tuple(
        AUTO if part.strip() == "auto" else _positive(part, option, "auto,64,10") for part in text.split(",")
    )


def degrees(text: str, option: str) -> tuple[int | None, ...]:
    """Out-degrees, as in "8,full"; None where the text says full."""
    return tuple(
        None if part.strip() == "full" else _positive(part, option, "8,full") for part in text.split(",")
    )


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Numbers, as in "32,16"; none of them for an empty text."""
    return tuple(_positive(part, option, "32,16") for part in text.split(",")) if text.strip() else ()


def pair(text: str, option: str) -> tuple[int | None, int | None]:
    """Two out-degrees, as in "8,full"; None where the text says full."""
    found = degrees(text, option)
    if len(found) != 2:
        raise typer.BadParameter(f"{text!r} are not two out-degrees; write 8,full", param_hint=option)
    return found[0], found[1]


def places(text: str, option: str) -> dict[str, tuple[int, ...]]:
    """Inner exits, as in "head-2,tail-2:32": name and widths of hidden layers; none for an empty text."""
    found: dict[str, tuple[int, ...]] = {}
    for part in text.split(",") if text.strip() else ():
        name, *hidden = part.strip().split(":")
        if not _PLACE.fullmatch(name) or name in found:
            raise typer.BadParameter(
                f"{name!r} is no place of an inner exit, or named twice; write head-2,tail-2:32",
                param_hint=option,
            )
        found[name] = tuple(_positive(width, option, "tail-2:32") for width in hidden)
    return found


def count(text: str, option: str) -> int | None:
    """How many, as in "1000"; None for "all"."""
    return None if text == "all" else _positive(text, option, "1000 or all")


def block(text: str, option: str) -> tuple[int, int]:
    """Inputs and outputs of a block, as in "4x4"."""
    parts = text.lower().split("x")
    if len(parts) != 2:
        raise typer.BadParameter(
            f"{text!r} is no block; write inputs x outputs, as in 4x4", param_hint=option
        )
    return _positive(parts[0], option, "4x4"), _positive(parts[1], option, "4x4")


def finite(value: float) -> float:
    """The number, which a minimum and a maximum alone would let be NaN."""
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no finite number")
    return value


def finite_or_none(value: float | None) -> float | None:
    """As `finite`, for an option that may be left out."""
    return None if value is None else finite(value)


def _positive(text: str, option: str, example: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise typer.BadParameter(
            f"{text.strip()!r} is no whole number above 0; write it as in {example}", param_hint=option
        )
    return int(text)
