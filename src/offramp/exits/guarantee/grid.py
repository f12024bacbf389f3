"""The samples that a certificate is prepared with, and the thresholds that come into question."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from offramp.errors import DataError, InputError
from offramp.exits.guarantee.outcomes import Outcomes
from offramp.pattern.stream import Stream

# Exit rates at which there is a threshold, in thousandths: close where good exits stop.
_RATES = np.concatenate([np.arange(1, 500, 20), np.arange(500, 900, 5), np.arange(900, 1001)])

Samples = npt.NDArray[np.int64]


def fitting_split(n: int, *, share: float = 0.2, seed: int = 0) -> tuple[Samples, Samples]:
    """Numbers of the samples to fit on (temperature, learned score, thresholds), and of those to certify on.

    The same on every machine for the same n, share and seed.

    Raises:
        InputError: a share that leaves nothing for either.
    """
    n_fitting = round(share * n)
    if not 0 < n_fitting < n:
        raise InputError(
            f"a share of {share} of {n} samples; give one that leaves samples to fit and certify"
        )
    order = Stream(seed).permutation(n)
    return np.sort(order[:n_fitting]), np.sort(order[n_fitting:])


def threshold_grid(fitting: Outcomes) -> npt.NDArray[np.float64]:
    """About 200 thresholds in [0, 1], from the largest down, ending in 0, which always exits.

    They cut the fitting samples at fixed exit rates. Each lies halfway between two confidences, since the
    device's float32 sums may differ in the last digit from those seen here.

    Raises:
        DataError: no fitting samples, or no exit that is ever sure.
    """
    surest = fitting.surest()[-1]
    surest = np.sort(surest[np.isfinite(surest)])[::-1]
    if len(surest) == 0:
        raise DataError(
            f"{fitting.n} samples to fit on, none with a confidence; give some on which an exit can be sure"
        )
    n_exits = np.unique(np.maximum(1, _RATES * len(surest) // 1000))
    above, below = surest[n_exits - 1], np.append(surest, 0.0)[n_exits]
    middle = (above + below) / 2
    found = np.where(middle > below, middle, above)[above > below]  # equal confidences exit together
    return np.unique(np.append(found, 0.0))[::-1]
