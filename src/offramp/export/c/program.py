"""What is to be written in C: the junctions of head, exit, encoder and tail, each with its encoding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from offramp.bundle import Bundle, LinearLayer, Part, SparseLinearLayer
from offramp.codec import Grid, GriddedCodec
from offramp.errors import ConfigError
from offramp.export.c.encodings import Encoding, Shape
from offramp.export.c.inputs import Inputs
from offramp.export.c.junctions import CJunction
from offramp.export.c.streaming import StreamedJunction
from offramp.int8 import IntegerDevice, IntegerJunction, IntegerRule, steps_of

Numbers = Literal["int8", "float32"]
Choose = Callable[[Shape], Encoding]


@dataclass(frozen=True, eq=False)
class Program:
    """A bundle's device, ready to be written.

    Args:
        bundle: what it is made of.
        numbers: of its arithmetic.
        prefix: of everything that it defines.
        parts: the junctions of head, exit, encoder and tail, as far as they are there.
        streamed: the head's first junction input by input; None for output by output.
        device: in integers; None in float32.
        rule: of the exit.
    """

    bundle: Bundle
    numbers: Numbers
    prefix: str
    parts: dict[str, list[CJunction]]
    streamed: StreamedJunction | None
    device: IntegerDevice | None
    rule: IntegerRule

    @property
    def inputs(self) -> Inputs:
        """From raw samples to what the first junction reads."""
        return _inputs(self.prefix, self.bundle, self.device, streamed=self.streamed is not None)

    @property
    def n_inputs(self) -> int:
        """Values that the head reads, with those that only pad."""
        return self.parts["head"][0].shape.n_in

    @property
    def n_sample(self) -> int:
        """Elements of the array that holds a raw sample, with room for what only pads."""
        return self.n_inputs if self.inputs.as_they_are and self.streamed is None else self.inputs.n_raw

    @property
    def n_features(self) -> int:
        """At the cut."""
        return self.parts["head"][-1].shape.n_out

    @property
    def n_sent(self) -> int:
        """Values on the wire."""
        return self.parts.get("encoder", self.parts["head"])[-1].shape.n_out

    @property
    def feature(self) -> str:
        """The C type of a feature."""
        return "uint8_t" if self.numbers == "int8" else "float"

    @property
    def sent_grid(self) -> Grid | None:
        """Of the values on the wire; None where they are floats, in and out."""
        if self.device is not None:
            return self.device.sent_grid
        codec = self.bundle.codec
        return codec.grid if isinstance(codec, GriddedCodec) else None

    @property
    def upper(self) -> str:
        """The prefix of macros."""
        return self.prefix.upper()


def program(
    bundle: Bundle, numbers: Numbers, choose: Choose, *, streaming: bool = False, tail: bool = False
) -> Program:
    """A bundle's device as it is to be written.

    Args:
        bundle: with a head; for int8 with its quantisation.
        choose: an encoding for every junction that is computed output by output.
        streaming: whether the first junction is computed input by input.
        tail: whether the tail, in float32, is to be on the device too.

    Raises:
        ConfigError: a part that is not here, or layers that C knows nothing of.
    """
    _check(bundle, tail=tail)
    device = IntegerDevice(bundle) if numbers == "int8" else None
    prefix = _identifier(bundle.name)
    parts: dict[str, list[CJunction]] = {}
    for name in ("head", "exit", "encoder", "tail"):
        part = bundle.parts.get(name)
        if part is None or (name == "tail" and not tail):
            continue
        integers: Any = [None] * len(part.layers)
        if device is not None and name != "tail":
            integers = getattr(device, name)
        parts[name] = [
            _junction(prefix, name, number, part, step, integer, choose)
            for number, (step, integer) in enumerate(zip(steps_of(name, part), integers, strict=False), 1)
        ]
    streamed = None
    if streaming:
        inputs = _inputs(prefix, bundle, device, streamed=True)
        streamed = StreamedJunction(parts["head"][0], bundle.preprocessing.n_values, inputs.two_at_once)
    rule = device.rule if device else IntegerRule(bundle.exit_rule, 1.0, len(bundle.classes))
    return Program(bundle, numbers, prefix, parts, streamed, device, rule)


def _inputs(prefix: str, bundle: Bundle, device: IntegerDevice | None, *, streamed: bool) -> Inputs:
    grid = None if device is None else device.quantisation.input
    return Inputs(prefix, bundle.preprocessing, device is not None, grid, streamed)


def _check(bundle: Bundle, *, tail: bool) -> None:
    needed = ["head", "exit", *(["encoder"] if bundle.encoder_digest else []), *(["tail"] if tail else [])]
    if missing := [name for name in needed if name not in bundle.parts]:
        raise ConfigError(
            f"bundle {bundle.name!r} has no {' and no '.join(missing)} here; copy its file into the folder"
        )
    if inner := bundle.exits("head"):
        raise ConfigError(
            f"unsupported layer: {inner[0].name}, an exit inside the head; C has the exit at the cut only:"
            " train without --inner-exits in the head"
        )


def _junction(
    prefix: str,
    part_name: str,
    number: int,
    part: Part,
    step: Any,
    integer: IntegerJunction | None,
    choose: Choose,
) -> CJunction:
    layer: SparseLinearLayer | LinearLayer = step.layer
    bias = part.arrays.get(f"{step.place}.bias")
    shape = shape_of(part, step.place, layer, integer)
    encoding = choose(shape)
    name = f"{prefix}_{part_name}_{number}"
    r, c = encoding.block
    words = (
        f"{part_name}, junction {number}: {layer.n_in} to {layer.n_out}, {shape.in_degree} edges an output"
    )
    words += f", index {encoding.kind}" + (f", blocks of {r} x {c}" if r * c > 1 else "")
    zeros = np.zeros(layer.n_out, np.float32)
    return CJunction(name, words, shape, encoding, integer, zeros if bias is None else bias, step.relu)


def shape_of(
    part: Part, place: int, layer: SparseLinearLayer | LinearLayer, integer: IntegerJunction | None
) -> Shape:
    """The edges of a junction, with its integer weights, or with those of the part."""
    if isinstance(layer, LinearLayer):
        rows = part.arrays[f"{place}.weight"] if integer is None else integer.rows
        return Shape(
            layer.n_in, layer.n_out, (1, 1), np.arange(layer.n_in)[None].repeat(layer.n_out, 0), rows
        )
    (r, c), table = layer.block, part.arrays[f"{place}.table"]
    if integer is not None:
        return Shape(layer.n_in, layer.n_out, (r, c), table, integer.rows)
    weight = part.arrays[f"{place}.weight"].reshape(*table.shape, r, c).transpose(0, 3, 1, 2)
    return Shape(layer.n_in, layer.n_out, (r, c), table, weight.reshape(layer.n_out, layer.in_degree))


def _identifier(name: str) -> str:
    """A bundle's name as the beginning of C identifiers."""
    made = re.sub(r"\W", "_", name.lower())
    return made if made[0].isalpha() else f"n{made}"
