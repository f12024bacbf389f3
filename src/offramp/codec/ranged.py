"""int8-range and int4-range: symbols by the range coder, with tables fitted to training features."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from offramp.codec import range_coder
from offramp.codec.frequencies import Frequencies, check_frequencies, starts, total_bits
from offramp.codec.grid import Floats, Symbols
from offramp.codec.gridded import Bytes, GriddedCodec, trimmed
from offramp.codec.packing import pack, packed_bytes, unpack
from offramp.errors import WireError

ESCAPE = 0xFF  # the first byte of a row whose symbols stand behind it packed


@dataclass(frozen=True)
class RangeCodec(GriddedCodec):
    """Each row a message of its own; packed behind an escape where that is shorter.

    How long a row takes is printed by `python -m benchmarks.entropy`.

    Args:
        frequencies: for each feature, see `frequencies`.

    Raises:
        ConfigError: frequencies that cannot be.
    """

    frequencies: Frequencies
    suffix: ClassVar[str] = "-range"

    def __post_init__(self) -> None:
        check_frequencies(self.frequencies, self.grid.n_features, self.grid.bits)

    def parameters(self) -> dict[str, Any]:
        """As of every grid, and the frequencies as lists of integers."""
        return super().parameters() | {"frequencies": [list(row) for row in self.frequencies]}

    def max_bytes(self, n_features: int) -> int:
        """The escape, and every symbol packed."""
        self._check_width(n_features)
        return 1 + packed_bytes(n_features, self.grid.bits)

    def _write(self, symbols: Symbols) -> list[bytes]:
        features = np.arange(self.grid.n_features)
        start = self._starts[features, symbols]
        frequency = self._starts[features, symbols.astype(np.intp) + 1] - start
        rows = []
        for row, *shares in zip(symbols.tolist(), start.tolist(), frequency.tolist(), strict=True):
            coded = range_coder.encode(zip(*shares, strict=True), self._total_bits)
            if len(coded) > self._escaped_bytes(row):
                coded = bytes([ESCAPE]) + pack(np.array([row], np.uint8), self.grid.bits).tobytes()
            rows.append(trimmed(coded))
        return rows

    def _read(self, rows: Bytes, out: Floats) -> None:
        for i, row in enumerate(rows):
            data = row.tobytes().rstrip(b"\0")
            if data[:1] == bytes([ESCAPE]):
                self._read_escaped(data, out[i : i + 1])
                continue
            symbols = range_coder.decode(data, self._start_lists, self._total_bits)
            if len(data) > self._escaped_bytes(symbols):
                raise WireError(f"{len(data)} bytes of coded features; with an escape they are shorter")
            out[i] = symbols

    def _read_escaped(self, data: bytes, out: Floats) -> None:
        packed = data[1:].ljust(packed_bytes(self.grid.n_features, self.grid.bits), b"\0")
        unpack(np.frombuffer(packed, np.uint8)[None], self.grid.bits, out)
        if self._write(out.astype(np.uint8)) != [data]:
            raise WireError(f"{len(data)} bytes of features behind an escape; without it they are as short")

    def _escaped_bytes(self, symbols: Sequence[int]) -> int:
        """What these symbols take behind an escape, zero bytes at the end left out."""
        n = len(symbols)
        while n and not symbols[n - 1]:
            n -= 1
        return 1 + packed_bytes(n, self.grid.bits)

    def _canonical(self) -> bytes:
        return super()._canonical() + np.array(self.frequencies, "<u2").tobytes()

    @cached_property
    def _starts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return starts(self.frequencies, self.grid.bits)

    @cached_property
    def _start_lists(self) -> list[array[int]]:
        return [array("I", row.tolist()) for row in self._starts]  # an eighth of a list's memory

    @property
    def _total_bits(self) -> int:
        return total_bits(self.grid.bits)
