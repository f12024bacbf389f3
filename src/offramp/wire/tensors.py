"""Named arrays, and the two forms in which the protocol carries them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from offramp.codec.finite import first_not_finite
from offramp.errors import InputError, WireError
from offramp.wire import open_inference_pb2 as oip

Array = npt.NDArray[np.float32] | npt.NDArray[np.uint8]

DTYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "UINT8": np.dtype("u1")}
_TYPED_FIELD = {"FP32": "fp32_contents", "UINT8": "uint_contents"}
_MAX_DIMENSIONS = 8


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array with the name it has in the model: float32 (all finite) or uint8, at least one element."""

    name: str
    array: Array

    def __post_init__(self) -> None:
        if self.array.dtype not in (np.float32, np.uint8):
            raise InputError(f"tensor {self.name!r} is {self.array.dtype}; use float32 or uint8")
        if self.array.size == 0 or not 1 <= self.array.ndim <= _MAX_DIMENSIONS:
            raise InputError(
                f"tensor {self.name!r} has shape {self.array.shape}; use 1 to {_MAX_DIMENSIONS} dimensions,"
                " each of at least 1"
            )

    @property
    def datatype(self) -> str:
        """The protocol's word for the array's dtype."""
        return "FP32" if self.array.dtype == np.float32 else "UINT8"

    def raw(self) -> bytes:
        """The elements, row-major and little-endian."""
        return self.array.astype(DTYPES[self.datatype], copy=False).tobytes()


class TensorMessage(Protocol):
    """What an input and an output have in common."""

    @property
    def name(self) -> str: ...
    @property
    def datatype(self) -> str: ...
    @property
    def shape(self) -> Sequence[int]: ...
    @property
    def contents(self) -> oip.InferTensorContents: ...


def read_tensors(messages: Sequence[TensorMessage], raw: Sequence[bytes]) -> tuple[Tensor, ...]:
    """The tensors of a message, from raw or typed contents, never from both.

    Nothing is allocated beyond what was received: the declared shape is compared with it first.

    Raises:
        WireError: another datatype, a wrong length, a value that is not finite.
    """
    if not raw:
        return tuple(_read_typed(message) for message in messages)
    if len(raw) != len(messages):
        raise WireError(f"{len(raw)} raw contents for {len(messages)} tensors; send one for each")
    return tuple(_read_raw(message, data) for message, data in zip(messages, raw, strict=True))


def _read_raw(message: TensorMessage, data: bytes) -> Tensor:
    if message.contents.ListFields():  # MLServer sends empty ones beside raw contents
        raise WireError(f"tensor {message.name!r} has contents beside raw contents; send one of them")
    dtype, shape = _declared(message)
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise WireError(
            f"tensor {message.name!r}: {message.datatype} of shape {shape} takes {expected} bytes,"
            f" not {len(data)}"
        )
    return _tensor(message.name, np.frombuffer(data, dtype=dtype), shape)


def _read_typed(message: TensorMessage) -> Tensor:
    dtype, shape = _declared(message)
    field = _TYPED_FIELD[message.datatype]
    others = [other.name for other, _ in message.contents.ListFields() if other.name != field]
    if others:
        raise WireError(f"tensor {message.name!r} is {message.datatype} but has {others[0]}; fill {field}")
    elements = getattr(message.contents, field)
    if len(elements) != math.prod(shape):
        raise WireError(
            f"tensor {message.name!r}: shape {shape} takes {math.prod(shape)} elements, not {len(elements)}"
        )
    if message.datatype == "UINT8" and max(elements) > 255:
        raise WireError(f"tensor {message.name!r} is UINT8 but holds {max(elements)}")
    return _tensor(message.name, np.array(elements, dtype=dtype), shape)


def _declared(message: TensorMessage) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if message.datatype not in DTYPES:
        raise WireError(f"tensor {message.name!r} has datatype {message.datatype!r}; use FP32 or UINT8")
    if not 1 <= len(message.shape) <= _MAX_DIMENSIONS:
        raise WireError(
            f"tensor {message.name!r} has {len(message.shape)} dimensions; use 1 to {_MAX_DIMENSIONS}"
        )
    shape = tuple(message.shape)
    if min(shape) < 1:
        raise WireError(f"tensor {message.name!r} has shape {shape}; every size must be at least 1")
    return DTYPES[message.datatype], shape


def _tensor(name: str, elements: npt.NDArray[Any], shape: tuple[int, ...]) -> Tensor:
    if elements.dtype.kind == "f" and (index := first_not_finite(elements)) is not None:
        raise WireError(f"tensor {name!r} holds {elements[index]} at {index}; every value must be finite")
    native: np.dtype[Any] = elements.dtype.newbyteorder("=")
    array: Array = elements.astype(native, copy=False).reshape(shape)
    return Tensor(name, array)
