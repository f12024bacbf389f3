"""Values that people type: lists of widths, blocks, counts. What cannot be read names its option."""

import math

import typer

from offramp.system import AUTO


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


def _positive(text: str, option: str, example: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise typer.BadParameter(
            f"{text.strip()!r} is no whole number above 0; write it as in {example}", param_hint=option
        )
    return int(text)
