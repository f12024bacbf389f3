"""Percentiles of what was counted in buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Percentiles:
    """Of latencies, in seconds."""

    p50: float
    p95: float
    p99: float


def percentiles(bounds_s: Sequence[float], counts: npt.ArrayLike) -> Percentiles | None:
    """The percentiles of counts within each bound but not the one before; the last is beyond all bounds.

    Between two bounds they are taken to lie evenly, and beyond the last one at it, as Prometheus does. None
    where nothing was counted.
    """
    up_to = np.concatenate(([0], np.cumsum(counts)))
    if up_to[-1] == 0:
        return None
    edges = np.concatenate(([0.0], bounds_s, [bounds_s[-1]]))
    return Percentiles(*(_quantile(edges, up_to, q) for q in (0.5, 0.95, 0.99)))


def _quantile(edges: npt.NDArray[np.float64], up_to: npt.NDArray[np.int64], q: float) -> float:
    rank = q * up_to[-1]
    bucket = int(np.searchsorted(up_to, rank))  # up_to[bucket - 1] < rank <= up_to[bucket]
    share = (rank - up_to[bucket - 1]) / (up_to[bucket] - up_to[bucket - 1])
    return float(edges[bucket - 1] + share * (edges[bucket] - edges[bucket - 1]))
