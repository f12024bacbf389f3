"""From an accumulator to a symbol: one multiplication, one rounding, all in unsigned 32-bit arithmetic.

A symbol is min(limit, floor((max(sum, 0) · 2^lift · multiplier + 2^(shift-1)) / 2^shift)). Below, the same is
computed in 64 bits; docs/formats/int8.md has the 32-bit form that microcontrollers compute, which is equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError

LEAST_SHIFT, MOST_SHIFT = 17, 47
TOP = 2**31  # accumulators, lifted, stay below

Integers = npt.NDArray[np.int64]
Symbols = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Scaling:
    """How the sums of a junction become symbols of a grid.

    Args:
        multiplier: (n_out,), 0 ... 65535.
        shift: LEAST_SHIFT ... MOST_SHIFT, of all outputs.
        lift: bits that sums are shifted up by first; 0 but for grids nearly as coarse as the sums.
        limit: the largest symbol, 255 or 15.
    """

    multiplier: Integers
    shift: int
    lift: int
    limit: int

    def __call__(self, sums: Integers) -> Symbols:
        """Symbols (n, n_out) of sums (n, n_out)."""
        lifted = np.maximum(sums, 0) << self.lift
        scaled = (lifted * self.multiplier + (1 << (self.shift - 1))) >> self.shift
        return np.asarray(np.minimum(scaled, self.limit).astype(np.uint8))


def scaling(ratio: npt.NDArray[np.float64], largest: int, limit: int) -> Scaling:
    """The scaling nearest to `ratio`.

    Args:
        ratio: (n_out,) what a unit of each sum is worth in steps of its output's grid, 0 for a constant one.
        largest: no sum is larger.
        limit: the largest symbol.

    Raises:
        ConfigError: sums that leave 32 bits when they are lifted as far as the ratio asks.
    """
    most = float(ratio.max())
    exponent = math.frexp(most)[1]  # most = f · 2^exponent, f in [1/2, 1)
    lift = max(0, exponent + 1)  # a multiplier below 2^16 over 2^17 is below 1/2
    shift = min(MOST_SHIFT, 16 - (exponent - lift))
    if largest << lift >= TOP:
        raise ConfigError(
            f"a grid of {most:.3g} steps to a unit of sums that reach {largest:,}: too fine for 32 bits;"
            " quantise again on samples that make every feature vary"
        )
    multiplier = np.minimum(np.rint(ratio * 2.0 ** (shift - lift)), 65535).astype(np.int64)
    return Scaling(multiplier, shift, lift, limit)
