"""A part's arrays as a safetensors file, and back from bytes that nobody vouches for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import safetensors
import safetensors.numpy

from offramp.bundle.layers import Layer, SparseLinearLayer, array_forms, junctions, stored_table_dtype
from offramp.bundle.part import Array, Part, check_names
from offramp.errors import BundleError

_ENTRY_BYTES = 200  # of a header, for an array
_SPARE_BYTES = 1 << 20  # for what other writers put there

# safetensors' names of the types that we write
_TYPE_NAMES = {"float32": "F32", "uint8": "U8", "uint16": "U16", "uint32": "U32"}


def to_bytes(part: Part) -> bytes:
    """A safetensors file of the part's arrays, tables in the smallest unsigned type."""
    dtypes = _stored_dtypes(part.layers)
    return safetensors.numpy.save({name: part.arrays[name].astype(dtype) for name, dtype in dtypes.items()})


def most_bytes(layers: Sequence[Layer]) -> int:
    """The largest size of a file with the arrays of these layers: theirs, and a header with room to spare."""
    forms, dtypes = array_forms(layers), _stored_dtypes(layers)
    held = sum(math.prod(shape) * dtypes[name].itemsize for name, (_, shape) in forms.items())
    return held + _SPARE_BYTES + _ENTRY_BYTES * len(forms)


def from_bytes(layers: Sequence[Layer], data: bytes) -> Part:
    """The part with these layers whose arrays `to_bytes` wrote.

    Raises:
        BundleError: no safetensors file, or not the arrays of these layers.
    """
    try:
        tensors = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise BundleError(f"not a safetensors file: {error}") from error
    forms, dtypes = array_forms(layers), _stored_dtypes(layers)
    check_names(set(tensors), forms)
    arrays: dict[str, Array] = {}
    for name, (dtype, shape) in forms.items():
        tensor, stored = tensors[name], dtypes[name]
        if tensor["dtype"] != _TYPE_NAMES[stored.name] or tuple(tensor["shape"]) != shape:
            raise BundleError(
                f"array {name} is {tensor['dtype']} {tuple(tensor['shape'])};"
                f" its layer needs {_TYPE_NAMES[stored.name]} {shape}"
            )
        little_endian = np.frombuffer(tensor["data"], stored.newbyteorder("<")).reshape(shape)
        arrays[name] = little_endian.astype(dtype)
        arrays[name].flags.writeable = False  # ours alone: Part need not copy it
    return Part(tuple(layers), arrays)


def _stored_dtypes(layers: Sequence[Layer]) -> dict[str, np.dtype[np.generic]]:
    """Name -> dtype on disk, in canonical order."""
    stored = {name: dtype for name, (dtype, _) in array_forms(layers).items()}
    for i, layer in junctions(layers):
        if isinstance(layer, SparseLinearLayer):
            stored[f"{i}.table"] = stored_table_dtype(layer)
    return stored
