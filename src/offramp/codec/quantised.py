"""int8 and int4: every symbol in 8 or 4 bits, all rows of one size."""

from __future__ import annotations

from dataclasses import dataclass

from offramp.codec.grid import Floats, Symbols
from offramp.codec.gridded import Bytes, GriddedCodec
from offramp.codec.packing import pack, packed_bytes, unpack
from offramp.errors import WireError


@dataclass(frozen=True)
class QuantisedCodec(GriddedCodec):
    """The symbols one after the other, `packing` says how."""

    def max_bytes(self, n_features: int) -> int:
        """What every vector takes."""
        self._check_width(n_features)
        return packed_bytes(n_features, self.grid.bits)

    def _write(self, symbols: Symbols) -> list[bytes]:
        return [row.tobytes() for row in pack(symbols, self.grid.bits)]

    def _read(self, rows: Bytes, out: Floats) -> None:
        unpack(rows, self.grid.bits, out)

    def _check_length(self, n_bytes: int) -> None:
        expected = packed_bytes(self.grid.n_features, self.grid.bits)
        if n_bytes != expected:
            raise WireError(
                f"{n_bytes} bytes of features; {self.grid.n_features} as {self.name} take {expected}"
            )
