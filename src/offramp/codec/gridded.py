"""What all codecs of grids share: parameters, their digest, widths, and the way to and from symbols."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from offramp.codec.finite import check_rows
from offramp.codec.grid import Floats, Grid, Symbols
from offramp.errors import ConfigError, InputError, WireError

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class GriddedCodec(ABC):
    """A codec that writes symbols of a grid; how, is left to its kinds.

    Args:
        grid: levels for each feature.
    """

    grid: Grid
    suffix: ClassVar[str] = ""  # of the name, behind "int4" or "int8"

    @property
    def name(self) -> str:
        """As in CODECS."""
        return f"int{self.grid.bits}{self.suffix}"

    @cached_property
    def digest(self) -> str:
        """16 hex digits over name, width and parameters."""
        return hashlib.sha256(self._canonical()).hexdigest()[:16]

    def parameters(self) -> dict[str, Any]:
        """JSON values; numbers of float32 in their shortest form."""
        return {name: shortest(getattr(self.grid, name)) for name in ("low", "step")}

    @abstractmethod
    def max_bytes(self, n_features: int) -> int:
        """As `Codec.max_bytes`."""

    def encode_rows(self, features: Floats) -> list[bytes]:
        """As `Codec.encode_rows`."""
        check_rows(features)
        if features.shape[1] != self.grid.n_features:
            raise InputError(f"{features.shape[1]} features; {self._fitted()}")
        return self.encode_symbols(self.grid.symbols(features))

    def encode_symbols(self, symbols: Symbols) -> list[bytes]:
        """The bytes of each of these rows of symbols (n_rows, n_features)."""
        return self._write(symbols)

    def decode_rows(self, rows: Bytes, n_features: int) -> Floats:
        """As `Codec.decode_rows`; takes the result's memory and little more."""
        if n_features != self.grid.n_features:
            raise WireError(f"{n_features} features; {self._fitted()}")
        self._check_length(rows.shape[1])
        out = np.empty((len(rows), n_features), np.float32)
        self._read(rows, out)
        return self.grid.place(out)

    @abstractmethod
    def _write(self, symbols: Symbols) -> list[bytes]:
        """The bytes of each row of symbols."""

    @abstractmethod
    def _read(self, rows: Bytes, out: Floats) -> None:
        """The symbols of rows of a possible length into `out`, or WireError."""

    def _check_length(self, n_bytes: int) -> None:
        most = self.max_bytes(self.grid.n_features)
        if not 1 <= n_bytes <= most:
            raise WireError(
                f"{n_bytes} bytes of features; {self.grid.n_features} as {self.name} take 1 to {most}"
            )

    def _check_width(self, n_features: int) -> None:
        if n_features != self.grid.n_features:
            raise ConfigError(f"{n_features} features; {self._fitted()}")

    def _fitted(self) -> str:
        return f"codec {self.name} was fitted to {self.grid.n_features}; fit one to these"

    def _canonical(self) -> bytes:
        head = f"offramp codec 1\n{self.name}\n{self.grid.n_features}\n".encode()
        return head + b"".join(np.array(v, "<f4").tobytes() for v in (self.grid.low, self.grid.step))


def trimmed(row: bytes) -> bytes:
    """A row without the zero bytes at its end, which a reader supplies; one byte at least."""
    return row.rstrip(b"\0") or b"\0"


def shortest(values: tuple[float, ...]) -> list[float]:
    """The shortest numbers that are these float32 when rounded to it."""
    return [float(str(np.float32(value))) for value in values]
