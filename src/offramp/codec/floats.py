"""Codecs that keep every feature as one IEEE float, always little-endian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.codec.finite import check_rows, first_not_finite, named
from offramp.errors import ConfigError, WireError

_DTYPES: dict[str, np.dtype[np.float32] | np.dtype[np.float16]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
}


@dataclass(frozen=True)
class FloatCodec:
    """Features as they are, or rounded to half precision; nothing is fitted, any width will do.

    float16 saturates: a feature beyond +-65504 becomes +-65504.

    Args:
        name: "float32" or "float16".

    Raises:
        ConfigError: another name.
    """

    name: str = "float32"
    digest: str = ""

    def __post_init__(self) -> None:
        if self.name not in _DTYPES:
            raise ConfigError(f"no floats are called {self.name!r}; use one of {', '.join(_DTYPES)}")

    def parameters(self) -> dict[str, Any]:
        """None."""
        return {}

    def max_bytes(self, n_features: int) -> int:
        """What every vector takes."""
        return self._dtype.itemsize * n_features

    def encode_rows(self, features: npt.NDArray[np.float32]) -> list[bytes]:
        """As `Codec.encode_rows`."""
        check_rows(features)
        if self._dtype.itemsize < features.itemsize:
            limit = np.finfo(self._dtype).max
            features = np.clip(features, -limit, limit)
        rows = features.astype(self._dtype, order="C", copy=False)
        return [row.tobytes() for row in rows]

    def decode_rows(self, rows: npt.NDArray[np.uint8], n_features: int) -> npt.NDArray[np.float32]:
        """As `Codec.decode_rows`: WireError for a wrong length, or a value that is not finite."""
        expected = self.max_bytes(n_features)
        if rows.shape[1] != expected:
            raise WireError(
                f"{rows.shape[1]} bytes of features; {n_features} features as {self.name} take {expected}"
            )
        features = np.ascontiguousarray(rows).view(self._dtype).astype(np.float32)
        if (index := first_not_finite(features)) is not None:
            raise WireError(f"{named(features, index)}; every feature must be finite")
        return features

    @property
    def _dtype(self) -> np.dtype[np.float32] | np.dtype[np.float16]:
        return _DTYPES[self.name]
