"""Features on grids of 2^bits levels: the arithmetic that every implementation repeats bit by bit.

All values are IEEE float32, and every operation below is rounded by itself, to nearest, ties to even; a fused
multiply-add gives other bits and is wrong. For each feature, with its own `low` and `step`:

    high   = low + float32(2^bits - 1) * step           two operations
    symbol = round((min(max(x, low), high) - low) / step), at most 2^bits - 1     ties to even
    x'     = low + float32(symbol) * step                two operations
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError

BITS = (4, 8)
MAX_MAGNITUDE = 2.0**126  # of low and high: what lies between them is finite in float32
MIN_STEP = 2.0**-100  # whether a processor keeps subnormal numbers makes no difference
MIN_RESOLUTION = 2.0**-20  # of a step against low and high: eight float32 spacings, so every level is its own

Floats = npt.NDArray[np.float32]
Symbols = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Grid:
    """Levels for each feature, evenly spaced from `low` by `step`.

    Args:
        bits: 4 or 8.
        low, step: one for each feature; rounded to float32.

    Raises:
        ConfigError: values out of the bounds above, which keep all arithmetic finite and all levels apart.
    """

    bits: int
    low: tuple[float, ...]
    step: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise ConfigError(f"{self.bits} bits; use {' or '.join(map(str, BITS))}")
        if not len(self.low) == len(self.step) >= 1:
            raise ConfigError(
                f"{len(self.low)} values of low and {len(self.step)} of step; give each feature one of both"
            )
        low, step = _float32("low", self.low), _float32("step", self.step)
        _check("step", step, step >= MIN_STEP, f"a step is {MIN_STEP:.3g} or more")
        object.__setattr__(self, "low", tuple((low + 0).tolist()))  # + 0: no -0
        object.__setattr__(self, "step", tuple(step.tolist()))
        largest = np.maximum(abs(low), abs(self._high))
        _check("step", step, largest <= MAX_MAGNITUDE, f"levels reach {MAX_MAGNITUDE:.3g} at most")
        fine = f"too fine for levels from {{low:.9g}}; a step is {MIN_RESOLUTION:.3g} of low and high or more"
        _check("step", step, step >= largest * np.float32(MIN_RESOLUTION), fine, low=low)

    @property
    def n_features(self) -> int:
        """Width of a vector."""
        return len(self.low)

    @property
    def n_levels(self) -> int:
        """Different symbols of a feature."""
        return 1 << self.bits

    def symbols(self, features: Floats) -> Symbols:
        """The nearest level of each of these finite features (n_rows, n_features), 0 ... n_levels - 1."""
        inside = np.clip(features.astype(np.float32, copy=False), self._low, self._high)
        inside -= self._low
        inside /= self._step
        levels = np.minimum(np.rint(inside), np.float32(self.n_levels - 1))
        return levels.astype(np.uint8)

    def place(self, symbols: Floats) -> Floats:
        """The features of these symbols (n_rows, n_features), computed where the symbols were."""
        symbols *= self._step
        symbols += self._low
        return symbols

    @cached_property
    def zero(self) -> Symbols:
        """The symbol (n_features,) that a feature of 0 gets."""
        zeros = np.zeros((1, self.n_features), np.float32)
        return self.symbols(zeros).ravel()

    @cached_property
    def _low(self) -> Floats:
        return np.array(self.low, np.float32)

    @cached_property
    def _step(self) -> Floats:
        return np.array(self.step, np.float32)

    @cached_property
    def _high(self) -> Floats:
        with np.errstate(over="ignore"):  # infinity is refused when the grid is made
            return self.place(np.full((1, self.n_features), self.n_levels - 1, np.float32)).ravel()


def _float32(name: str, values: Sequence[float]) -> Floats:
    wide = np.array(values, np.float64)
    _check(name, wide, np.abs(wide) <= MAX_MAGNITUDE, f"use finite numbers up to {MAX_MAGNITUDE:.3g}")
    return wide.astype(np.float32)


def _check(
    name: str, values: npt.NDArray[np.floating], holds: npt.NDArray[np.bool_], rule: str, **others: Floats
) -> None:
    """Raise ConfigError that names the first value for which the rule does not hold."""
    if not holds.all():
        feature = int(np.argmin(holds))
        told = rule.format(**{other: array[feature] for other, array in others.items()})
        raise ConfigError(f"{name} of feature {feature} is {values[feature]:.9g}: {told}")
