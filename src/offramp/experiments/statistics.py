"""What several seeds say together, and beside the paper's one figure."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import stdtrit  # type: ignore[import-untyped]

from offramp.errors import ConfigError

CONFIDENCE = 0.95
TOLERANCE_POINTS = 0.3  # this close to the paper's figure is the same figure

Verdict = Literal["holds", "in interval", "in spread", "above", "below"]

VERDICTS: dict[Verdict, str] = {
    "holds": f"the mean is within {TOLERANCE_POINTS} points of the paper",
    "in interval": "a dense network further off, but the paper's figure is in the 95% interval of its mean",
    "in spread": "a dense network whose seeds differ so much that one run (the paper tells one) may well give"
    " the paper's figure: it lies in the 95% prediction interval of a single run",
    "above": f"the mean is more than {TOLERANCE_POINTS} points better than the paper",
    "below": f"the mean is more than {TOLERANCE_POINTS} points worse than the paper",
}


class Spread(NamedTuple):
    """Of n independent runs: the mean, and how much they differ; None where one run cannot tell.

    Args:
        deviation: the sample standard deviation, with n - 1.
        margin: half the 95% interval of the mean, by Student's t.
        margin_of_one: half the 95% interval in which one more run falls.
    """

    n: int
    mean: float
    deviation: float | None
    margin: float | None
    margin_of_one: float | None


def spread(values: Sequence[float]) -> Spread:
    """What the values of nearly normal, independent runs say.

    Raises:
        ConfigError: no values.
    """
    n = len(values)
    if n == 0:
        raise ConfigError("no runs to take the mean of; give one or more")
    mean = float(np.mean(values))
    if n == 1:
        return Spread(1, mean, None, None, None)
    deviation = float(np.std(values, ddof=1))
    t = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2))
    return Spread(n, mean, deviation, t * deviation / n**0.5, t * deviation * (1 + 1 / n) ** 0.5)


def verdict(ours: Spread, paper: float, *, sparse: bool) -> Verdict:
    """How our runs stand to the paper's figure.

    Args:
        ours, paper: in per cent.
        sparse: sparse networks differ little from seed to seed, so only the mean counts.
    """
    off = ours.mean - paper
    if abs(off) <= TOLERANCE_POINTS + 1e-9:
        return "holds"
    if not sparse and ours.margin is not None and abs(off) <= ours.margin:
        return "in interval"
    if not sparse and ours.margin_of_one is not None and abs(off) <= ours.margin_of_one:
        return "in spread"
    return "above" if off > 0 else "below"
