"""Does an exit still see what it was calibrated on? Its confidences, against those of calibration."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from offramp.errors import ConfigError


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


def _few(values: tuple[float, ...]) -> str:
    """The values, or the first of them, for an error of one line."""
    shown = ", ".join(f"{value:.6g}" if math.isfinite(value) else str(value) for value in values[:6])
    return f"({shown}{', ...' if len(values) > 6 else ''})"
