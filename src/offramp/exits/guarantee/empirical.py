"""The threshold that would have been best on some samples; nothing is guaranteed on others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError
from offramp.exits.guarantee.outcomes import Outcomes
from offramp.exits.guarantee.tally import ACCURACY_DROP, tally
from offramp.exits.rule import NEVER


def empirical_threshold(
    outcomes: Outcomes, *, max_accuracy_drop: float = 0.005
) -> tuple[float, dict[str, object]]:
    """The threshold with the largest exit rate whose accuracy on these samples is close enough to the tail's.

    It is fitted to the samples it is judged by: on others it may lose more.

    Args:
        outcomes: with labels, of samples unseen in training.
        max_accuracy_drop: accuracy that may be lost against always asking the tail, in [0, 1].

    Returns:
        The threshold, the same for all exits, and the evidence for an `ExitRule`.

    Raises:
        InputError: no samples, no labels, a drop outside [0, 1].
    """
    if not 0 <= max_accuracy_drop <= 1:
        raise InputError(f"max_accuracy_drop={max_accuracy_drop}; use a share in [0, 1]")
    if outcomes.n == 0:
        raise InputError("no calibration samples; give at least one")
    thresholds = _distinct(outcomes)
    counted = tally(outcomes, thresholds, ACCURACY_DROP)
    allowed = counted.losses - counted.gains <= max_accuracy_drop * outcomes.n + 1e-9
    best = int(np.flatnonzero(allowed)[-1])  # the first, which never exits, is always allowed
    assert outcomes.labels is not None, "tally has refused"
    evidence: dict[str, object] = {
        "method": "empirical",
        "guarantee": "none",
        "n": outcomes.n,
        "max_accuracy_drop": max_accuracy_drop,
        "accuracy_drop": int(counted.losses[best] - counted.gains[best]) / outcomes.n,
        "exit_rate": int(counted.answered[best]) / outcomes.n,
        "tail_accuracy": float((outcomes.tail_labels == outcomes.labels).mean()),
    }
    return float(thresholds[best]), evidence


def _distinct(outcomes: Outcomes) -> npt.NDArray[np.float64]:
    """Thresholds from NEVER down that part the samples in all ways in which they can be parted.

    Each lies halfway between two confidences, since the device's float32 sums may differ in the last digit
    from those seen here; below the last one nothing is known.
    """
    surest = outcomes.surest()
    there = np.unique(surest[np.isfinite(surest)])[::-1]
    middle = (there[:-1] + there[1:]) / 2
    apart = np.where(middle > there[1:], middle, there[:-1])
    return np.concatenate([[NEVER], apart, there[-1:]])
