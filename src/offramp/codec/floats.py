"""Codecs that keep every feature as one IEEE float, always little-endian."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
    """The bytes of one feature vector.

    Args:
        features: (n_features,) finite floats. float16 saturates: a feature beyond +-65504 becomes +-65504.

    Raises:
        ConfigError: an unknown codec.
        InputError: not a vector, or not finite.
    """
    dtype = _dtype(codec)
    if features.ndim != 1:
        raise InputError(f"features of shape {features.shape} cannot be coded; give one vector (n_features,)")
    if not np.isfinite(features).all():
        index = int(np.flatnonzero(~np.isfinite(features))[0])
        raise InputError(f"feature {index} is {features[index]}; only finite features can be coded")
    limit = np.finfo(dtype).max
    return np.clip(features, -limit, limit).astype(dtype).tobytes()


def decode(data: bytes, codec: str, n_features: int) -> npt.NDArray[np.float32]:
    """The feature vector (n_features,) in `data`, which may come from anybody.

    Raises:
        ConfigError: an unknown codec.
        WireError: a wrong length, or a value that is not finite.
    """
    expected = encoded_size(codec, n_features)
    if len(data) != expected:
        raise WireError(f"{len(data)} bytes of features; {n_features} features as {codec} take {expected}")
    features = np.frombuffer(data, dtype=_dtype(codec)).astype(np.float32)
    if not np.isfinite(features).all():
        index = int(np.flatnonzero(~np.isfinite(features))[0])
        raise WireError(f"feature {index} is {features[index]}; every feature must be finite")
    return features


def _dtype(codec: str) -> np.dtype[np.float32] | np.dtype[np.float16]:
    if codec not in _DTYPES:
        raise ConfigError(f"unknown codec {codec!r}; use one of {', '.join(CODECS)}")
    return _DTYPES[codec]
