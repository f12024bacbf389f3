"""How many samples a threshold costs, for many thresholds at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError, InputError
from offramp.exits.guarantee.outcomes import Outcomes

ACCURACY_DROP, EXITED_ERROR, DISAGREEMENT = MEASURES = ("accuracy-drop", "exited-error", "disagreement")

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tally:
    """Losses at each of some thresholds, all (n_thresholds,).

    The risk is (losses - gains) / n.

    Args:
        n: samples that count: those that an exit answers for exited-error, else all.
        losses, gains: of these, how many have loss 1 and loss -1; all others have loss 0.
        answered, answered_on_edge: samples that an exit answers, and an exit on the device.
    """

    n: Counts
    losses: Counts
    gains: Counts
    answered: Counts
    answered_on_edge: Counts

    def risk(self) -> npt.NDArray[np.float64]:
        """On these samples; NaN where none counts."""
        with np.errstate(invalid="ignore"):
            return np.asarray((self.losses - self.gains) / self.n, dtype=np.float64)


def tally(
    outcomes: Outcomes,
    thresholds: npt.NDArray[np.float64],
    measure: str,
    *,
    monotone: bool = False,
) -> Tally:
    """Count losses at every threshold.

    A sample's loss is, by measure:

    - accuracy-drop: 1 where the tail is right and the system wrong, -1 the other way round;
    - disagreement: 1 where the system's label is not the tail's;
    - exited-error: 1 where the system is wrong; only samples count that an exit answers.

    A sample is answered by at most one exit for any threshold, so its loss changes at most once per exit and
    all thresholds together take O(n_exits * n + n_thresholds): counts of changes, summed up.

    Args:
        thresholds: (n_thresholds,), from the largest down.
        monotone: count instead the largest loss that a sample has at this threshold or a larger one, gains
            as none. It never falls with the threshold and is at least the loss. For one exit and disagreement
            it is the loss itself.

    Raises:
        ConfigError: an unknown measure, or monotone exited-error, which does not exist.
        InputError: a measure that needs labels, without them.
    """
    if measure not in MEASURES:
        raise ConfigError(f"unknown measure {measure!r}; use one of {', '.join(MEASURES)}")
    if monotone and measure == EXITED_ERROR:
        raise ConfigError(f"{EXITED_ERROR} has no monotone form; use another measure")
    if (np.diff(thresholds) > 0).any():
        raise InputError("thresholds ascend; give them from the largest down")
    loss, gain = _of_exits(outcomes, measure)
    first, end = _reign(outcomes, thresholds)
    n_thresholds = len(thresholds)

    def count(which: npt.NDArray[np.bool_]) -> Counts:
        begun = np.bincount(first[which], minlength=n_thresholds + 1)
        over = np.bincount(end[which], minlength=n_thresholds + 1)
        return np.cumsum(begun - over)[:n_thresholds].astype(np.int64)

    everything = np.ones_like(loss)
    answered = count(everything)
    on_edge = count(everything & outcomes.on_edge[:, None])
    if monotone:
        ever = np.where(loss & (first < end), first, n_thresholds).min(axis=0)  # (n,)
        losses = np.cumsum(np.bincount(ever, minlength=n_thresholds + 1))[:n_thresholds].astype(np.int64)
        return Tally(_all(outcomes, thresholds), losses, np.zeros_like(losses), answered, on_edge)
    n = answered if measure == EXITED_ERROR else _all(outcomes, thresholds)
    return Tally(n, count(loss), count(gain), answered, on_edge)


def _reign(outcomes: Outcomes, thresholds: npt.NDArray[np.float64]) -> tuple[Counts, Counts]:
    """Positions in `thresholds` from which on, and until which, each exit answers: two of (n_exits, n)."""
    first = np.searchsorted(-thresholds, -outcomes.surest(), side="left")
    end = np.concatenate([np.full((1, outcomes.n), len(thresholds)), first[:-1]])
    return first, end


def _of_exits(outcomes: Outcomes, measure: str) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Where each exit's answer would be a loss, and a gain: two of (n_exits, n)."""
    if measure == DISAGREEMENT:
        differs = outcomes.exit_labels != outcomes.tail_labels
        return differs, np.zeros_like(differs)
    if outcomes.labels is None:
        raise InputError(f"{measure} needs true labels, and there are none; {DISAGREEMENT} does without")
    wrong = outcomes.exit_labels != outcomes.labels
    if measure == EXITED_ERROR:
        return wrong, np.zeros_like(wrong)
    tail_wrong = outcomes.tail_labels != outcomes.labels
    return wrong & ~tail_wrong, ~wrong & tail_wrong


def _all(outcomes: Outcomes, thresholds: npt.NDArray[np.float64]) -> Counts:
    return np.full(len(thresholds), outcomes.n, dtype=np.int64)
