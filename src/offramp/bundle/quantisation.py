"""What a device that computes with integers needs beside the float32 parts: grids, and a rule of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from offramp.bundle.layers import Layer, ReluLayer, junctions
from offramp.bundle.preprocessing import Preprocessing
from offramp.codec import Codec, Grid, GriddedCodec
from offramp.errors import BundleError
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


def check_quantisation(
    quantisation: Quantisation,
    preprocessing: Preprocessing,
    parts: Mapping[str, Sequence[Layer]],
    *,
    codec: Codec,
    encoder: bool,
) -> None:
    """Raise BundleError unless grids are there for all that these parts give, and for nothing else.

    Args:
        parts: layers of those that are here.
        encoder: whether the network has one, here or not.
    """
    _check_input(quantisation.input, preprocessing)
    known = [name for name in QUANTISED_PARTS if encoder or name != "encoder"]
    if strangers := [name for name in quantisation.grids if name not in known]:
        raise BundleError(f"grids for {strangers[0]!r}; this network has them for {', '.join(known)}")
    sender = "encoder" if encoder else "head"
    for name in known:
        if name in parts:
            given = quantisation.grids.get(name, ())
            unneeded = name == "exit" or (name == sender and isinstance(codec, GriddedCodec))
            _check_part(name, parts[name], given, last=not unneeded)


def _check_input(grid: Grid | None, preprocessing: Preprocessing) -> None:
    if grid is None and preprocessing.dtype != "uint8":
        raise BundleError(f"no grid for inputs of {preprocessing.dtype}; run offramp quantise again")
    if grid is not None and (preprocessing.dtype == "uint8" or (grid.bits, grid.n_features) != (8, 1)):
        raise BundleError(
            f"a grid of {grid.bits} bits and {grid.n_features} features for inputs of {preprocessing.dtype};"
            " give none to bytes, and to others one of 8 bits and 1 feature"
        )


def _check_part(name: str, layers: Sequence[Layer], grids: Sequence[Grid], *, last: bool) -> None:
    """A grid for each junction, `last` for that of the last one too."""
    given = junctions(layers)[: None if last else -1]
    if len(grids) != len(given):
        raise BundleError(f"{len(grids)} grids for {len(given)} junctions of the {name}; give one for each")
    for number, (grid, (place, layer)) in enumerate(zip(grids, given, strict=True), start=1):
        where = f"the grid of junction {number} of the {name}"
        if (grid.bits, grid.n_features) != (8, layer.n_out):
            raise BundleError(
                f"{where} has {grid.bits} bits and {grid.n_features} features; give it 8, and {layer.n_out}"
            )
        relu = isinstance(layers[place + 1], ReluLayer) if place + 1 < len(layers) else False
        if relu and min(grid.low) < 0:
            raise BundleError(f"{where} begins at {min(grid.low):.6g}, behind a ReLU; give 0 or more")
