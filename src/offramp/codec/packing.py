"""Symbols of 4 or 8 bits in bytes: the first of two in the low nibble, an odd one alone with 0 above it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from offramp.codec.grid import Symbols
from offramp.errors import WireError


def packed_bytes(n_symbols: int, bits: int) -> int:
    """What so many symbols take."""
    return -(-n_symbols * bits // 8)


def pack(symbols: Symbols, bits: int) -> npt.NDArray[np.uint8]:
    """Bytes (n_rows, packed_bytes) of these symbols (n_rows, n)."""
    if bits == 8:
        return symbols
    low, high = symbols[:, ::2], symbols[:, 1::2]
    rows = low.copy()
    rows[:, : high.shape[1]] |= high << 4
    return rows


def unpack(rows: npt.NDArray[np.uint8], bits: int, out: npt.NDArray[np.float32 | np.uint8]) -> None:
    """The symbols of these bytes (n_rows, packed_bytes) into `out` (n_rows, n); no other memory is taken.

    Raises:
        WireError: something stands beside an odd last symbol.
    """
    if bits == 8:
        out[:] = rows
        return
    n_pairs = out.shape[1] // 2
    np.bitwise_and(rows, 15, out=out[:, ::2])
    np.right_shift(rows[:, :n_pairs], 4, out=out[:, 1::2])
    if out.shape[1] % 2 and (rows[:, -1] > 15).any():
        raise WireError("a byte with one symbol has bits above it; the upper four must be 0")
