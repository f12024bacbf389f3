"""Reliability: how often a verdict is right, against how sure it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError
from offramp.exits.samples import checked_confidence, checked_right


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: samples in bins of confidence, and how far the two are apart.

    Args:
        edges: n_bins + 1 confidences, evenly from 0 to 1; bin i holds those above edges[i] and up to
            edges[i + 1], the first bin 0 too.
        counts: n_bins numbers of samples.
        confidence: n_bins mean confidences, None in an empty bin.
        accuracy: n_bins shares of right verdicts, None in an empty bin.
        ece: expected calibration error, the mean of |accuracy - confidence| over the bins, weighted with
            their counts; in [0, 1], 0 is best.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    confidence: tuple[float | None, ...]
    accuracy: tuple[float | None, ...]
    ece: float

    @property
    def n(self) -> int:
        """Number of samples."""
        return sum(self.counts)


def reliability(confidence: npt.ArrayLike, right: npt.ArrayLike, n_bins: int = 15) -> Reliability:
    """How well confidences (N,) in [0, 1] agree with whether the verdicts are right, (N,) booleans.

    Meant for `max_softmax` and `learned`, which claim to be probabilities of a right verdict; margin and
    entropy rank samples, no more. Few samples in a bin push the error up: compare what has the same N and
    n_bins.

    Raises:
        InputError: shapes that do not agree, no samples, a confidence outside [0, 1] or NaN.
        ConfigError: no bins.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2 (eq. 3, 15 equal bins).
    """
    values = checked_confidence(confidence)
    outcome = checked_right(right, len(values))
    if n_bins < 1:
        raise ConfigError(f"n_bins={n_bins}; use 1 or more, 15 as the source does")
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.searchsorted(edges[1:-1], values, side="left")
    counts = np.bincount(bins, minlength=n_bins)
    sure = np.bincount(bins, weights=values, minlength=n_bins)
    correct = np.bincount(bins, weights=outcome.astype(np.float64), minlength=n_bins)
    return Reliability(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        confidence=_means(sure, counts),
        accuracy=_means(correct, counts),
        ece=float(np.abs(correct - sure).sum() / len(values)),
    )


def _means(sums: npt.NDArray[np.number], counts: npt.NDArray[np.number]) -> tuple[float | None, ...]:
    return tuple(float(total / n) if n else None for total, n in zip(sums, counts, strict=True))
