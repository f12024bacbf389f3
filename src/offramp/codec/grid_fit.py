"""The grid that loses least of given features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from offramp.codec.grid import MAX_MAGNITUDE, MIN_RESOLUTION, MIN_STEP, Floats, Grid

SHARES = np.linspace(1, 0.2, 41)  # of the features' whole range, the candidates for what a grid covers
MAX_ROWS = 16_384  # on which candidates are compared; the range is that of all rows

_Wide = npt.NDArray[np.float64]


def fit_grid(features: Floats, bits: int) -> Grid:
    """The grid of `bits` with the least mean squared error on these features (n, n_features), n >= 1, finite.

    For each feature it covers a share of the range that the feature has: large values are rare, and giving
    them up makes all steps finer. Where the range has 0 in it, 0 is a level exactly: after ReLU it is the
    most common value.
    """
    low, high = _ranges(features, bits)
    sample = features[:: -(-len(features) // MAX_ROWS)]
    best = _grid(low, high, bits)
    least = _errors(best, sample)
    for share in SHARES[1:]:
        candidate = _grid(*_shrunk(low, high, share), bits)
        errors = _errors(candidate, sample)
        better = errors < least
        least = np.where(better, errors, least)
        best = Grid(
            bits, _chosen(better, candidate.low, best.low), _chosen(better, candidate.step, best.step)
        )
    return best


def _ranges(features: Floats, bits: int) -> tuple[_Wide, _Wide]:
    """What each feature's grid should reach at most: never empty, from 0 on if it nearly begins there."""
    limit = MAX_MAGNITUDE / 4
    low, high = (
        np.clip(ends.astype(np.float64), -limit, limit) for ends in (features.min(0), features.max(0))
    )
    high = np.where(high > low, high, low + np.maximum(abs(low), 1.0))
    nearly_zero = (low > 0) & (low <= (high - low) / ((1 << bits) - 1))
    return np.where(nearly_zero, 0.0, low), high


def _shrunk(low: _Wide, high: _Wide, share: float) -> tuple[_Wide, _Wide]:
    """A share of the range: around 0 where 0 is inside, else from the end that is nearer to 0."""
    middle = np.clip(0.0, low, high)
    return middle + share * (low - middle), middle + share * (high - middle)


def _grid(low: _Wide, high: _Wide, bits: int) -> Grid:
    """The grid from low to high, moved by up to half a step where that makes 0 a level."""
    n_steps = (1 << bits) - 1
    step = np.maximum((high - low) / n_steps, MIN_STEP)
    step = np.maximum(step, 2 * MIN_RESOLUTION * np.maximum(abs(low), abs(high))).astype(np.float32)
    below = np.clip(np.rint(-low / step), 0, n_steps).astype(np.float32)  # levels under 0
    has_zero = (low <= 0) & (high >= 0)
    start = np.where(has_zero, -(below * step), low.astype(np.float32))
    return Grid(bits, tuple(start.tolist()), tuple(step.tolist()))


def _errors(grid: Grid, sample: Floats) -> _Wide:
    """The mean squared error of each feature (n_features,)."""
    there = grid.place(grid.symbols(sample).astype(np.float32))
    return np.asarray(np.square(there.astype(np.float64) - sample).mean(0))


def _chosen(
    better: npt.NDArray[np.bool_], ours: tuple[float, ...], theirs: tuple[float, ...]
) -> tuple[float, ...]:
    return tuple(np.where(better, ours, theirs).tolist())
