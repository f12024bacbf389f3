"""Shares of samples, and how far they can be believed: 95% intervals."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError

_Z = 1.959963984540054  # the normal distribution holds 95% within so many deviations

Bools = npt.NDArray[np.bool_]


class Share(NamedTuple):
    """A share, or a difference of two, with its 95% interval."""

    value: float
    low: float
    high: float


def share(which: Bools) -> Share:
    """The share of True among (n,) booleans; 0 of none, of which anything may be true.

    Source: Wilson's interval; Agresti and Coull, The American Statistician 52 (1998), 119-126.
    """
    n, k = len(which), int(which.sum())
    if n == 0:
        return Share(0.0, 0.0, 1.0)
    middle = (k + _Z**2 / 2) / (n + _Z**2)
    half = _Z / (n + _Z**2) * sqrt(k * (n - k) / n + _Z**2 / 4)
    return Share(k / n, max(0.0, middle - half), min(1.0, middle + half))


def difference(ours: Bools, theirs: Bools) -> Share:
    """How much larger the share of True is in `ours` than in `theirs`, both (n,) of the same samples.

    The interval is paired: only samples count on which the two differ. It is no point where there are none.

    Raises:
        InputError: shapes that do not agree, or no samples.

    Source: Wald's interval with half a sample added to each cell; Agresti and Min, Statistics in Medicine 24
    (2005), 729-740.
    """
    if ours.shape != theirs.shape or ours.ndim != 1 or len(ours) == 0:
        raise InputError(f"shares of {ours.shape} and {theirs.shape} samples; give (n,) twice, n > 0")
    gained, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    n, more, fewer = len(ours) + 2, gained + 0.5, lost + 0.5
    middle = (more - fewer) / n
    half = _Z / n * sqrt(more + fewer - (more - fewer) ** 2 / n)
    return Share((gained - lost) / len(ours), middle - half, middle + half)
