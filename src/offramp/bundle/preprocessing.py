"""From raw samples to network inputs, the same bits in training and on the edge."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError, DataError

Side = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
_FLOAT32_MAX = float(np.finfo(np.float32).max)

FloatArray = npt.NDArray[np.float32]


class Preprocessing(msgspec.Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """Average-pool, flatten, (x - offset) * scale, then zeros at the end: all in float32.

    Every step is an elementwise float32 operation in a fixed order, so a sample gives the same bits alone, in
    any batch, and on any machine.

    Args:
        shape: of one raw sample, 1 to 4 sides.
        dtype: of the raw samples, "uint8" or "float32".
        pool: side of the square windows that are averaged; 2-D samples only. It must divide both sides: edges
            are neither dropped nor diluted with zeros.
        offset, scale: one number for all values, or one for each value after pooling.
        pad_to: network inputs; zeros fill up to it. None adds none.

    Raises:
        ConfigError: settings that exclude one another.
    """

    shape: Annotated[tuple[Side, ...], msgspec.Meta(min_length=1, max_length=4)]
    dtype: Literal["uint8", "float32"]
    pool: Side = 1
    offset: float | tuple[float, ...] = 0.0
    scale: float | tuple[float, ...] = 1.0
    pad_to: Side | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.shape) <= 4 or any(side < 1 for side in self.shape):
            raise ConfigError(f"sample shape {self.shape}; give 1 to 4 sides of at least 1")
        if self.dtype not in ("uint8", "float32"):
            raise ConfigError(f"samples of type {self.dtype!r}; use uint8 or float32")
        if self.pool < 1:
            raise ConfigError(f"pool={self.pool}; use 1 for no pooling, or a side of at least 2")
        if self.pool != 1 and (len(self.shape) != 2 or any(side % self.pool for side in self.shape)):
            raise ConfigError(
                f"pool={self.pool} on samples of shape {self.shape}; it must divide the sides of 2-D samples"
            )
        for name in ("offset", "scale"):
            self._check_affine(name, getattr(self, name))
        if self.pad_to is not None and self.pad_to < self.n_values:
            raise ConfigError(
                f"pad_to={self.pad_to} is less than the {self.n_values} values of a sample; raise it"
            )

    def _check_affine(self, name: str, value: float | tuple[float, ...]) -> None:
        many = value if isinstance(value, tuple) else (value,)
        if isinstance(value, tuple) and len(value) != self.n_values:
            raise ConfigError(
                f"{len(value)} numbers as {name}; give one, or {self.n_values}: one for each value"
            )
        if not all(math.isfinite(one) and abs(one) <= _FLOAT32_MAX for one in many):
            raise ConfigError(f"{name} holds a number that is not finite in float32; use finite ones")

    @property
    def n_values(self) -> int:
        """Values of a sample after pooling, before padding."""
        return math.prod(self.shape) // self.pool ** (2 if len(self.shape) == 2 else 0)

    @property
    def n_features(self) -> int:
        """Width of the network's input."""
        return self.n_values if self.pad_to is None else self.pad_to

    def __call__(self, raw: npt.NDArray[Any]) -> FloatArray:
        """Network inputs (N, n_features), float32, of raw samples (N, *shape).

        Raises:
            DataError: another shape or dtype; NaN or infinity in a sample, or a value too large to scale.
        """
        if raw.shape[1:] != self.shape or raw.ndim != len(self.shape) + 1 or raw.dtype != self.dtype:
            raise DataError(
                f"samples are {raw.dtype} {raw.shape}; this network takes {self.dtype}"
                f" (N, {', '.join(map(str, self.shape))}), a single sample as N = 1"
            )
        n = len(raw)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found and named below
            values = self._pooled(raw).reshape(n, self.n_values)
            values = (values - self._offset) * self._scale
        if not (finite := np.isfinite(values).all(axis=1)).all():
            raise DataError(
                f"sample {int(np.argmin(finite))} of {n} holds NaN, infinity or a value too large to scale;"
                " give finite samples like those of the training data"
            )
        if self.n_features == self.n_values:
            return values
        padded = np.zeros((n, self.n_features), np.float32)
        padded[:, : self.n_values] = values
        return padded

    def _pooled(self, raw: npt.NDArray[Any]) -> FloatArray:
        p = self.pool
        if p == 1:
            return raw.astype(np.float32)
        # One window position after the other: np.mean would order its sum by the memory layout.
        total = np.zeros((len(raw), self.shape[0] // p, self.shape[1] // p), np.float32)
        for i in range(p):
            for k in range(p):
                total += raw[:, i::p, k::p]
        total /= np.float32(p * p)
        return total

    @cached_property
    def _offset(self) -> FloatArray:
        return np.asarray(self.offset, np.float32)

    @cached_property
    def _scale(self) -> FloatArray:
        return np.asarray(self.scale, np.float32)
