"""Codecs that keep every feature as one IEEE float, always little-endian."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from offramp.codec.finite import first_not_finite
from offramp.errors import ConfigError, InputError, WireError

CODECS = ("float32", "float16")
_DTYPES: dict[str, np.dtype[np.float32] | np.dtype[np.float16]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
}


def encoded_size(codec: str, n_features: int) -> int:
    """Bytes that `n_features` take in this codec.

    Raises:
        ConfigError: an unknown codec.
    """
    return _dtype(codec).itemsize * n_features


def encode(features: npt.NDArray[np.float32], codec: str) -> bytes:
    """The bytes of one feature vector (n_features,), as `encode_rows` makes them."""
    _check_dimensions(features, 1, "one vector (n_features,)")
    return encode_rows(features[None], codec).tobytes()


def encode_rows(features: npt.NDArray[np.float32], codec: str) -> npt.NDArray[np.uint8]:
    """The bytes (n_rows, row_bytes) of many feature vectors.

    Args:
        features: (n_rows, n_features) finite floats. float16 saturates: a feature beyond +-65504 becomes
            +-65504.

    Raises:
        ConfigError: an unknown codec.
        InputError: not rows of features, or not finite.
    """
    dtype = _dtype(codec)
    _check_dimensions(features, 2, "rows (n_rows, n_features)")
    if (index := first_not_finite(features)) is not None:
        raise InputError(f"{_named(features, index)}; only finite features can be coded")
    limit = np.finfo(dtype).max
    return np.clip(features, -limit, limit).astype(dtype, order="C").view(np.uint8)


def decode(data: bytes, codec: str, n_features: int) -> npt.NDArray[np.float32]:
    """The feature vector (n_features,) in `data`, as `decode_rows` reads it."""
    return decode_rows(np.frombuffer(data, dtype=np.uint8)[None], codec, n_features).ravel()


def decode_rows(rows: npt.NDArray[np.uint8], codec: str, n_features: int) -> npt.NDArray[np.float32]:
    """The feature vectors (n_rows, n_features) in `rows` (n_rows, row_bytes), which may come from anybody.

    Raises:
        ConfigError: an unknown codec.
        WireError: a wrong length, or a value that is not finite.
    """
    expected = encoded_size(codec, n_features)
    if rows.shape[1] != expected:
        raise WireError(
            f"{rows.shape[1]} bytes of features; {n_features} features as {codec} take {expected}"
        )
    features = np.ascontiguousarray(rows).view(_dtype(codec)).astype(np.float32)
    if (index := first_not_finite(features)) is not None:
        raise WireError(f"{_named(features, index)}; every feature must be finite")
    return features


def _named(features: npt.NDArray[np.float32], index: int) -> str:
    row, feature = divmod(index, features.shape[1])
    place = f"feature {feature} of row {row}" if len(features) > 1 else f"feature {feature}"
    return f"{place} is {features[row, feature]}"


def _check_dimensions(features: npt.NDArray[np.float32], n: int, wanted: str) -> None:
    if features.ndim != n:
        raise InputError(f"features of shape {features.shape} cannot be coded; give {wanted}")


def _dtype(codec: str) -> np.dtype[np.float32] | np.dtype[np.float16]:
    if codec not in _DTYPES:
        raise ConfigError(f"unknown codec {codec!r}; use one of {', '.join(CODECS)}")
    return _DTYPES[codec]
