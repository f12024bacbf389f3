"""A part of a split network: its layers and their arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from offramp.bundle.layers import (
    FLOAT32,
    ArrayForm,
    Layer,
    SparseLinearLayer,
    array_forms,
    junctions,
    widths,
)
from offramp.errors import BundleError, PatternError
from offramp.pattern import Pattern

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Part:
    """The head, exit or tail of a network: layers and arrays, checked against each other.

    Two parts are equal when their digests are.

    Args:
        layers: from input to output.
        arrays: "<position of the layer>.weight", ".table" (as in `Pattern`) and ".bias" for every junction;
            kept read-only, and copied where the caller could still write to them. Shapes, with (r, c) the
            block: sparse weight (n_out/c, in_degree/r, r*c), table (n_out/c, in_degree/r), dense weight
            (n_out, n_in), bias (n_out,); all but the table are float32.

    Raises:
        BundleError: layers that do not chain; arrays that are missing, superfluous, of another shape or type
            or not finite; a table that is no pattern, or not the layer's.
    """

    layers: tuple[Layer, ...]
    arrays: Mapping[str, Array]

    def __post_init__(self) -> None:
        layers = tuple(self.layers)
        widths(layers)
        arrays = _checked(array_forms(layers), self.arrays)
        for i, layer in junctions(layers):
            if isinstance(layer, SparseLinearLayer):
                _check_table(f"{i}.table", layer, arrays[f"{i}.table"])
        object.__setattr__(self, "layers", layers)
        object.__setattr__(self, "arrays", arrays)

    @property
    def n_in(self) -> int:
        return widths(self.layers)[0]

    @property
    def n_out(self) -> int:
        return widths(self.layers)[1]

    @property
    def n_parameters(self) -> int:
        """Trained values: edges and biases."""
        return sum(layer.n_edges + layer.n_out * layer.bias for _, layer in junctions(self.layers))

    @property
    def n_macs(self) -> int:
        """Multiply-adds for one sample: one an edge."""
        return sum(layer.n_edges for _, layer in junctions(self.layers))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of layers and arrays, the same on every machine; form: docs/formats/bundle.md."""
        sha = hashlib.sha256(b"offramp part 1\n" + canonical_json(self.layers) + b"\n")
        for name in array_forms(self.layers):
            array = self.arrays[name]
            form = "<f4" if array.dtype == FLOAT32 else "<i4"  # tables, whatever memory they take
            sha.update(np.ravel(array).astype(form, copy=False).data)
        return sha.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def canonical_json(layers: Sequence[Layer]) -> bytes:
    """Compact JSON with sorted keys; layers hold no float, so it has one spelling only."""
    return msgspec.json.encode(layers, order="sorted")


def check_names(found: set[str], wanted: Mapping[str, object]) -> None:
    """Raise BundleError unless exactly the wanted arrays were found."""
    missing, superfluous = [name for name in wanted if name not in found], sorted(found - wanted.keys())
    if missing or superfluous:
        raise BundleError(
            f"arrays missing: {', '.join(missing) or 'none'}; superfluous:"
            f" {', '.join(superfluous) or 'none'}; these layers own exactly {', '.join(wanted)}"
        )


def _checked(forms: Mapping[str, ArrayForm], arrays: Mapping[str, Array]) -> dict[str, Array]:
    check_names(set(arrays), forms)
    return {name: _checked_array(name, form, arrays[name]) for name, form in forms.items()}


def _checked_array(name: str, form: ArrayForm, array: Array) -> Array:
    dtype, shape = form
    if array.dtype != dtype or array.shape != shape:
        raise BundleError(f"array {name} is {array.dtype} {array.shape}; its layer needs {dtype} {shape}")
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise BundleError(
            f"array {name} holds NaN or infinity; weights must be finite, look for a diverged training"
        )
    if array.flags.writeable or not array.flags.c_contiguous:
        array = array.copy(order="C")
        array.flags.writeable = False
    return array


def _check_table(name: str, layer: SparseLinearLayer, table: Array) -> None:
    # The table has the layer's shape by now, so what from_table allocates is in proportion to it.
    try:
        pattern = Pattern.from_table(layer.n_in, layer.n_out, table, block=layer.block)
    except PatternError as error:
        raise BundleError(f"array {name} is no pattern: {error}") from error
    if not np.array_equal(pattern.table, table):  # or the pattern's weights would belong to other edges
        raise BundleError(f"array {name} has a row out of order; the rows of a table ascend")
    if pattern.digest() != layer.pattern_digest:
        raise BundleError(
            f"array {name} holds pattern {pattern.digest()[:12]}, its layer names"
            f" {layer.pattern_digest[:12]}; a network works only with the pattern it was trained with"
        )
