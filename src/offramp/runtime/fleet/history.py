"""Counts that only grow, kept for some minutes: what happened lately, and when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

WINDOW_S = 300.0  # what "lately" means
N_SLOTS = 30  # of a sparkline, so 10 s each
_APART_S = 8.0  # moments that are kept; edges report every 10 s
_CAPACITY = int(WINDOW_S / _APART_S) + 3

Counts = npt.NDArray[np.int64]


class History:
    """A ring of moments: a time, and each count as it was then.

    Args:
        n: how many counts.
    """

    def __init__(self, n: int) -> None:
        self._times = np.zeros(_CAPACITY)
        self._counts = np.zeros((_CAPACITY, n), np.int64)
        self._n = 0

    def add(self, at: float, counts: Sequence[int]) -> None:
        """The counts now. What was added last is replaced if it came too soon after the one before it."""
        if self._n >= 2 and self._times[self._n - 1] - self._times[self._n - 2] < _APART_S:
            self._n -= 1
        elif self._n == _CAPACITY:
            self._times[:-1], self._counts[:-1] = self._times[1:].copy(), self._counts[1:].copy()
            self._n -= 1
        self._times[self._n], self._counts[self._n] = at, counts
        self._n += 1

    def lately(self, now: float, *, window_s: float = WINDOW_S) -> tuple[float, Counts]:
        """Seconds, and what each count grew by in them: the last `window_s`, or as far as is known."""
        times, counts = self._times[: self._n], self._counts[: self._n]
        if self._n == 0:
            return 0.0, np.zeros(self._counts.shape[1], np.int64)
        first = min(int(np.searchsorted(times, now - window_s)), self._n - 1)
        return float(max(now - times[first], 0.0)), counts[-1] - counts[first]

    def rates(self, now: float, columns: Sequence[int]) -> npt.NDArray[np.float64]:
        """What these counts grew by each second, (n columns, N_SLOTS); NaN before the first moment."""
        edges = now - np.linspace(WINDOW_S, 0, N_SLOTS + 1)
        if self._n == 0:
            return np.full((len(columns), N_SLOTS), np.nan)
        times = self._times[: self._n]
        known = [np.interp(edges, times, self._counts[: self._n, column], left=np.nan) for column in columns]
        return np.diff(known, axis=1) * (N_SLOTS / WINDOW_S)
