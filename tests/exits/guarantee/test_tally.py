"""Counted losses are those of each sample, threshold by threshold."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.errors import ConfigError, InputError
from offramp.exits.guarantee import MEASURES, Outcomes
from offramp.exits.guarantee.outcomes import TAIL
from offramp.exits.guarantee.tally import tally

CONFIDENCES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, np.nan])  # few, so that many are equal


@st.composite
def some_outcomes(draw: st.DrawFn) -> Outcomes:
    n_exits, n = draw(st.integers(1, 3)), draw(st.integers(0, 8))
    classes = st.integers(0, 2)
    n_edge = draw(st.integers(0, n_exits))
    return Outcomes(
        draw(hnp.arrays(np.float64, (n_exits, n), elements=CONFIDENCES)),
        draw(hnp.arrays(np.int64, (n_exits, n), elements=classes)),
        draw(hnp.arrays(np.int64, (n,), elements=classes)),
        draw(hnp.arrays(np.int64, (n,), elements=classes)),
        np.arange(n_exits) < n_edge,
    )


THRESHOLDS = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.6, 1.0, 2.0]), min_size=1, unique=True).map(
    lambda values: np.array(sorted(values, reverse=True))
)


def losses_of_each(outcomes: Outcomes, threshold: float, measure: str) -> np.ndarray:
    """(n,) in -1, 0, 1; NaN where a sample does not count: the definition, one threshold at a time."""
    assert outcomes.labels is not None
    system, tail = outcomes.system_labels(threshold), outcomes.tail_labels
    if measure == "disagreement":
        return (system != tail).astype(float)
    wrong = (system != outcomes.labels).astype(float)
    if measure == "exited-error":
        return np.where(outcomes.answered_by(threshold) == TAIL, np.nan, wrong)
    return wrong - (tail != outcomes.labels)


@given(some_outcomes(), THRESHOLDS, st.sampled_from(MEASURES))
def test_counts_are_those_of_the_definition(outcomes: Outcomes, thresholds: np.ndarray, measure: str) -> None:
    counted = tally(outcomes, thresholds, measure)
    for at, threshold in enumerate(thresholds):
        losses = losses_of_each(outcomes, threshold, measure)
        by = outcomes.answered_by(threshold)
        assert counted.n[at] == np.isfinite(losses).sum()
        assert counted.losses[at] == (losses == 1).sum()
        assert counted.gains[at] == (losses == -1).sum()
        assert counted.answered[at] == (by != TAIL).sum()
        assert counted.answered_on_edge[at] == sum(outcomes.on_edge[k] for k in by if k != TAIL)


@given(some_outcomes(), THRESHOLDS, st.sampled_from(["accuracy-drop", "disagreement"]))
def test_the_monotone_loss_is_the_largest_so_far(
    outcomes: Outcomes, thresholds: np.ndarray, measure: str
) -> None:
    counted = tally(outcomes, thresholds, measure, monotone=True)
    each = np.array([losses_of_each(outcomes, t, measure) for t in thresholds])  # (n_thresholds, n)
    largest = np.maximum(0, np.maximum.accumulate(each, axis=0))
    assert counted.losses.tolist() == largest.sum(axis=1).tolist()
    assert not counted.gains.any()


@given(some_outcomes(), THRESHOLDS)
def test_disagreement_of_one_exit_is_monotone_by_itself(outcomes: Outcomes, thresholds: np.ndarray) -> None:
    one = Outcomes(
        outcomes.confidence[:1], outcomes.exit_labels[:1], outcomes.tail_labels, None, outcomes.on_edge[:1]
    )
    plain, monotone = (tally(one, thresholds, "disagreement", monotone=m) for m in (False, True))
    assert plain.losses.tolist() == monotone.losses.tolist()


def test_disagreement_of_two_exits_may_fall_with_the_threshold() -> None:
    two = Outcomes(
        np.array([[0.3], [0.6]]), np.array([[1], [2]]), np.array([1]), None, np.array([True, True])
    )
    thresholds = np.array([0.5, 0.2])
    assert tally(two, thresholds, "disagreement").losses.tolist() == [1, 0]
    assert tally(two, thresholds, "disagreement", monotone=True).losses.tolist() == [1, 1]


def test_the_risk_of_nothing_is_unknown() -> None:
    one = Outcomes(np.array([[0.5]]), np.array([[1]]), np.array([1]), np.array([2]), np.array([True]))
    risk = tally(one, np.array([0.9, 0.5]), "exited-error").risk()
    assert np.isnan(risk[0])
    assert risk[1] == 1


def test_what_cannot_be_counted_is_refused() -> None:
    one = Outcomes(np.array([[0.5]]), np.array([[1]]), np.array([1]), np.array([2]), np.array([True]))
    unlabelled = replace(one, labels=None)
    down = np.array([0.9, 0.5])
    for outcomes, thresholds, measure, error in (
        (one, down, "speed", "unknown measure 'speed'; use one of accuracy-drop, exited-error, disagreement"),
        (
            unlabelled,
            down,
            "accuracy-drop",
            "needs true labels, and there are none; disagreement does without",
        ),
        (one, down[::-1], "disagreement", "thresholds ascend; give them from the largest down"),
    ):
        with pytest.raises(InputError, match=error):
            tally(outcomes, thresholds, measure)
    with pytest.raises(ConfigError, match="exited-error has no monotone form"):
        tally(one, down, "exited-error", monotone=True)
