"""Risk and its upper bound against the threshold, to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offramp.exits.guarantee.bounds import upper_bounds
from offramp.exits.guarantee.certify import Question
from offramp.exits.guarantee.outcomes import Outcomes

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RiskCurve:
    """All (n_thresholds,).

    Args:
        exit_rate: share of the samples that an exit answers.
        risk: on the samples; 0 where none counts.
        upper_bound: upper confidence bound of the risk, for each threshold alone.
    """

    thresholds: Floats
    exit_rate: Floats
    risk: Floats
    upper_bound: Floats


def risk_curve(
    outcomes: Outcomes,
    thresholds: Floats,
    *,
    measure: str,
    risk: float,
    confidence: float = 0.95,
    bound: str | None = None,
) -> RiskCurve:
    """What each threshold costs on these samples, and at most costs with the given confidence.

    Args:
        thresholds: from the largest down, as `threshold_grid` gives them.
        measure, risk, confidence, bound: as in `certify`; no sample decides what is drawn by them.
    """
    asked = Question.of(measure, risk, confidence, None, bound)
    counted = asked.count(outcomes, thresholds)
    assert asked.bound is not None
    at_most = upper_bounds(
        asked.bound, counted.n, counted.losses, counted.gains, delta=asked.delta, planned_for=risk
    )
    return RiskCurve(thresholds, counted.answered / outcomes.n, np.nan_to_num(counted.risk()), at_most)
