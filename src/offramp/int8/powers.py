"""2^-x and log2 in integers, by polynomials of the third and fourth degree: no table, no division.

x and log2 have 12 fractional bits, 2^-x has 16. `exp2` is within 2e-4 of the truth, relatively, and its last
bit; `log2` within 7e-4.
"""

from __future__ import annotations

import numpy as np

from offramp.int8.scaling import Integers

FRACTION = 12
ONE = 1 << 16  # 2^-0
ZERO_FROM = 17 << FRACTION  # 2^-x is 0 from here on
_MASK = (1 << FRACTION) - 1

EXP2 = (
    45313,
    15110,
    2565,
)  # 2^-x = 1 - x(a - x(b - xc)) for x in [0, 1), 16 fractional bits; a - b + c = 1/2
LOG2 = (
    94293,
    44440,
    21081,
    5397,
)  # log2(1 + g) = g(p - g(q - g(r - gs))); p - q + r - s = 1, but for rounding


def exp2(x: Integers) -> Integers:
    """2^-x; 0 from x = 17 on."""
    a, b, c = EXP2
    f = x & _MASK
    mantissa = ONE - ((f * (a - ((f * (b - ((f * c) >> FRACTION))) >> FRACTION))) >> FRACTION)
    whole = np.minimum(x >> FRACTION, 31)
    return np.asarray(mantissa >> whole)


def log2(x: Integers) -> Integers:
    """log2 of integers x, 2^16 ... 2^32 - 1, less 16."""
    p, q, r, s = LOG2
    top = np.frexp(x.astype(np.float64))[1].astype(np.int64) - 1  # the number of the highest bit
    g = (x >> (top - FRACTION)) & _MASK
    fraction = (g * (p - ((g * (q - ((g * (r - ((g * s) >> FRACTION))) >> FRACTION))) >> FRACTION))) >> 16
    return ((top - 16) << FRACTION) + fraction
