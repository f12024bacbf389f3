"""What several seeds say together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]

CONFIDENCE = 0.95


class Spread(NamedTuple):
    """A mean, and how far from it the true one may be with 95% confidence."""

    mean: float
    margin: float


def spread(values: Sequence[float]) -> Spread:
    """The mean of independent, nearly normal values and half its 95% interval, by Student's t.

    Args:
        values: two or more.
    """
    n = len(values)
    t = stdtrit(n - 1, (1 + CONFIDENCE) / 2)
    return Spread(float(np.mean(values)), float(t * np.std(values, ddof=1) / np.sqrt(n)))
