"""int8-zeros and int4-zeros: which features are not 0, then those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from offramp.codec.grid import Floats, Symbols
from offramp.codec.gridded import Bytes, GriddedCodec, trimmed
from offramp.codec.packing import pack, packed_bytes, unpack
from offramp.errors import WireError


@dataclass(frozen=True)
class ZerosCodec(GriddedCodec):
    """A bit for each feature, the first in the lowest bit: 1 where its symbol is another than that of 0.

    Behind the bits stand those other symbols, packed. Zero bytes at the end are left out.
    """

    suffix: ClassVar[str] = "-zeros"

    def max_bytes(self, n_features: int) -> int:
        """What a vector without a zero takes."""
        self._check_width(n_features)
        return packed_bytes(n_features, 1) + packed_bytes(n_features, self.grid.bits)

    def _write(self, symbols: Symbols) -> list[bytes]:
        others = symbols != self.grid.zero
        masks = np.packbits(others, axis=1, bitorder="little")
        return [
            trimmed(mask.tobytes() + pack(row[other][None], self.grid.bits).tobytes())
            for row, other, mask in zip(symbols, others, masks, strict=True)
        ]

    def _read(self, rows: Bytes, out: Floats) -> None:
        whole = np.zeros(self.max_bytes(self.grid.n_features), np.uint8)
        for i, row in enumerate(rows):
            whole[: len(row)] = row
            out[i] = self._symbols(whole)

    def _symbols(self, row: Bytes) -> Symbols:
        """The symbols of a row with all its zero bytes."""
        n_features, bits = self.grid.n_features, self.grid.bits
        mask, packed = np.split(row, [packed_bytes(n_features, 1)])
        flags = np.unpackbits(mask, bitorder="little").astype(bool)
        other = flags[:n_features]
        n_others = int(other.sum())
        used = packed_bytes(n_others, bits)
        if flags[n_features:].any() or packed[used:].any():
            raise WireError(f"{n_others} features are not zero, and more bits than theirs are set")
        symbols = self.grid.zero.copy()
        listed = np.empty((1, n_others), np.uint8)
        unpack(packed[None, :used], bits, listed)
        if (listed[0] == symbols[other]).any():
            raise WireError("a feature is said not to be zero and is; clear its bit")
        symbols[other] = listed[0]
        return symbols
