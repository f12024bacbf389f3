"""Pieces of C."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "float32": "float",
}
_READS = {
    "int8": "READ_I8",
    "uint8": "READ_U8",
    "int16": "READ_I16",
    "uint16": "READ_U16",
    "int32": "READ_I32",
    "float32": "READ_F32",
}


def c_type(array: npt.NDArray[Any]) -> str:
    """The C type of an array's elements."""
    return _TYPES[array.dtype.name]


def read(array: npt.NDArray[Any], pointer: str) -> str:
    """An element at a pointer into a table in flash, which some processors read in a way of their own."""
    return f"{_READS[array.dtype.name]}({pointer})"


def table(name: str, array: npt.NDArray[Any], words: str) -> str:
    """A constant table in flash, with a comment before it."""
    values = ", ".join(map(number, array.ravel().tolist() if array.dtype != np.float32 else array.ravel()))
    body = textwrap.fill(values, 110, initial_indent="    ", subsequent_indent="    ")
    return f"/* {words} */\nstatic const {c_type(array)} {name}[{array.size}] ROM = {{\n{body}\n}};\n"


def number(value: Any) -> str:
    """A number as C writes it; float32 with as many digits as tell it from all others."""
    if isinstance(value, np.float32):
        return float_number(value)
    return str(value) if value != -(2**31) else "INT32_MIN"


def float_number(value: np.float32) -> str:
    """A float32 as a constant of type float."""
    text = np.format_float_scientific(value, unique=True, trim="0")
    return f"{text}f"


def narrowest(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same integers in the smallest of int8, int16 and int32 that holds them."""
    for dtype in (np.int8, np.int16):
        if np.iinfo(dtype).min <= array.min() and array.max() <= np.iinfo(dtype).max:
            return array.astype(dtype)
    return array.astype(np.int32)


def inside(lines: Sequence[str], by: int = 1) -> list[str]:
    """Lines of a block, indented by so many levels; the preprocessor's stay where they are."""
    return [line if line.startswith("#") or not line else "    " * by + line for line in lines]
