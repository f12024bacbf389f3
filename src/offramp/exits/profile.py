"""The confidences that an exit was calibrated on, in a form that goes into a bundle."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError, InputError
from offramp.exits.confidence import Vector
from offramp.exits.samples import checked_confidence


@dataclass(frozen=True)
class Profile:
    """Confidences of calibration samples, counted in bins.

    Args:
        edges: n_bins + 1 confidences, ascending from 0 to 1; bin i holds those from edges[i] up to, not
            including, edges[i + 1], and the last bin holds 1 too.
        counts: n_bins numbers of samples, at least one in all.

    Raises:
        ConfigError: edges and counts that are no such bins.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        # From JSON come lists, and whole numbers for edges.
        object.__setattr__(self, "edges", tuple(float(edge) for edge in self.edges))
        object.__setattr__(self, "counts", tuple(self.counts))
        if len(self.edges) != len(self.counts) + 1 or not self.counts:
            raise ConfigError(
                f"a profile with {len(self.edges)} edges and {len(self.counts)} counts;"
                " give the edges of all bins, one more than there are counts"
            )
        ascending = all(low < high for low, high in itertools.pairwise(self.edges))
        if not (ascending and self.edges[0] == 0 and self.edges[-1] == 1):
            raise ConfigError(f"profile edges {_few(self.edges)}; they ascend from 0 to 1")
        whole = all(isinstance(count, int) and count >= 0 for count in self.counts)
        if not (whole and sum(self.counts) > 0):
            raise ConfigError(
                f"profile counts {_few(self.counts)}; they are whole numbers, 0 or more, at least one above 0"
            )

    @property
    def n(self) -> int:
        """Number of calibration samples that were counted."""
        return sum(self.counts)


def profile_of(
    confidences: npt.ArrayLike, n_bins: int = 20, *, edges_from: npt.ArrayLike | None = None
) -> Profile:
    """The profile of calibration confidences (N,), in bins of about equally many samples.

    The guarantee of a `DriftWatch` wants edges that do not depend on the samples that are counted. So edges
    lie between the `edges_from`, or else every fifth of `confidences`, which is then not counted. Samples
    have to come in an order that says nothing about their confidence, and the rule's temperature and weights
    have to be fitted to others.

    Args:
        confidences: of samples that the exit was not trained on, as they come to it at run time.
        n_bins: 2 or more; there are fewer where confidences are equal or few. The lowest bin is for samples
            that are less sure than any of these.
        edges_from: (M,) confidences of other samples.

    Raises:
        InputError: confidences outside [0, 1] or NaN, fewer than two samples in all.
        ConfigError: fewer than two bins.
    """
    if n_bins < 2:
        raise ConfigError(f"n_bins={n_bins}; use 2 or more, a watch compares bins")
    values = checked_confidence(confidences)
    if edges_from is None:
        if len(values) < 2:
            raise InputError("1 sample for a profile; give 2 or more, one for edges and one to count")
        counted, placing = values[np.arange(len(values)) % 5 != 0], values[::5]
    else:
        counted, placing = values, checked_confidence(edges_from)
    cuts = _cuts(placing, n_bins - 1)
    bins = np.searchsorted(cuts, counted, side="right")
    counts = np.bincount(bins, minlength=len(cuts) + 1)
    return Profile((0.0, *cuts.tolist(), 1.0), tuple(counts.tolist()))


def _cuts(confidences: Vector, n_cuts: int) -> Vector:
    """At most `n_cuts` numbers in (0, 1), ascending: one below all confidences, others near quantiles."""
    distinct, counts = np.unique(confidences, return_counts=True)
    low, high = np.concatenate([[0.0], distinct[:-1]]), distinct
    below = np.concatenate([[0], np.cumsum(counts)[:-1]]) / len(confidences)  # share of samples up to `low`
    wanted = np.arange(n_cuts) / n_cuts
    gaps = np.unique(np.abs(below[:, None] - wanted).argmin(axis=0))
    # Halfway, so that a last digit which differs on the device changes no bin.
    middle = (low[gaps] + high[gaps]) / 2
    cuts: Vector = np.where(middle > low[gaps], middle, high[gaps])
    inside: Vector = cuts[(cuts > 0) & (cuts < 1)]
    return inside


def _few(values: tuple[float, ...]) -> str:
    """The values, or the first of them, for an error of one line."""
    shown = ", ".join(f"{value:.6g}" if math.isfinite(value) else str(value) for value in values[:6])
    return f"({shown}{', ...' if len(values) > 6 else ''})"
