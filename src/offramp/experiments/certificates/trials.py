"""Calibration sets drawn again and again, and the thresholds that every way takes on them."""

from collections.abc import Sequence
from contextlib import closing
from functools import partial

import numpy as np
import numpy.typing as npt

from offramp.exits.guarantee import Outcomes, fitting_split
from offramp.experiments.certificates.ways import Way
from offramp.train import Watch, Work, run_each

_AT_ONCE = 20  # trials of a piece of work
_WAY_S = 1.5e-3  # on a core of today

Thresholds = npt.NDArray[np.float64]


def all_thresholds(
    population: Outcomes,
    ways: Sequence[Way],
    *,
    n: int,
    n_trials: int,
    confidence: float,
    seed: int,
    workers: int | None = None,
    progress: bool = True,
) -> Thresholds:
    """What each way takes in each trial: (n_trials, n_ways).

    A trial's samples are n independent draws from the population, with replacement, which depend on the
    seed and the trial's number alone. A fifth of them is fitted on, as `offramp calibrate` does it.

    Args:
        workers: as in `run_each`.
    """
    spans = [(first, min(first + _AT_ONCE, n_trials)) for first in range(0, n_trials, _AT_ONCE)]
    works = [
        Work(
            f"trials {first + 1} to {end}",
            partial(_some, ways=ways, n=n, first=first, end=end, confidence=confidence, seed=seed),
            expected_s=(end - first) * len(ways) * _WAY_S,
        )
        for first, end in spans
    ]
    found = np.empty((n_trials, len(ways)))
    with closing(run_each(works, population, workers=workers, progress=progress)) as results:
        for index, thresholds in results:
            first, end = spans[index]
            found[first:end] = thresholds
    return found


def _some(
    population: Outcomes,
    watch: Watch,
    *,
    ways: Sequence[Way],
    n: int,
    first: int,
    end: int,
    confidence: float,
    seed: int,
) -> Thresholds:
    """In a worker: the trials with these numbers."""
    found = np.empty((end - first, len(ways)))
    for number in range(first, end):
        rng = np.random.default_rng((seed, number))
        samples = population.take(rng.integers(0, population.n, n))
        fit, certify_on = fitting_split(n, seed=number)
        certifying, fitting = samples.take(certify_on), samples.take(fit)
        found[number - first] = [way.threshold(certifying, fitting, confidence=confidence) for way in ways]
    return found
