"""What a device that computes with integers needs beside the float32 parts: grids, and a rule of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from offramp.codec import Grid
from offramp.exits import ExitRule

QuantisedPart = Literal["head", "exit", "encoder"]
QUANTISED_PARTS: tuple[QuantisedPart, ...] = get_args(QuantisedPart)


@dataclass(frozen=True)
class Quantisation:
    """How head, exit and encoder are computed with integers; docs/formats/int8.md has the arithmetic.

    All else follows from the parts' float32 arrays.

    Args:
        input: of all network inputs, with one low and one step; None where samples are bytes, which are
            symbols as they are.
        grids: by part, of what its junctions give, in order; not of scores, and not of what is sent where
            the codec has a grid for it.
        rule: of the integer exit.
    """

    input: Grid | None
    grids: Mapping[str, tuple[Grid, ...]]
    rule: ExitRule
    evidence: Mapping[str, object] = field(default_factory=dict)
