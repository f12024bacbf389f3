"""Shares and differences keep their 95% intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from offramp.errors import InputError
from offramp.plan.judgement import difference, share

BOOLS = st.lists(st.booleans(), min_size=1, max_size=60).map(np.array)


@given(BOOLS)
def test_a_share_has_wilsons_interval(which: np.ndarray) -> None:
    found = share(which)
    expected = binomtest(int(which.sum()), len(which)).proportion_ci(method="wilson")
    assert found == pytest.approx((which.mean(), expected.low, expected.high), abs=1e-9)


def test_of_nothing_anything_may_be_true() -> None:
    assert share(np.zeros(0, np.bool_)) == (0.0, 0.0, 1.0)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60).map(np.array))
def test_a_difference_is_that_of_the_shares_and_turns_with_its_sides(pairs: np.ndarray) -> None:
    ours, theirs = pairs.T
    found, turned = difference(ours, theirs), difference(theirs, ours)
    assert found.value == pytest.approx(ours.mean() - theirs.mean())
    assert turned == pytest.approx((-found.value, -found.high, -found.low))
    assert found.low < found.high


def test_half_a_sample_in_each_cell() -> None:
    """21 and 7 of 100 differ: (21.5 - 7.5) / 102, give or take 1.96 sqrt(29 - 14^2 / 102) / 102."""
    ours = np.array([True] * 21 + [False] * 7 + [True] * 72)
    theirs = np.array([False] * 21 + [True] * 7 + [True] * 72)
    assert difference(ours, theirs) == pytest.approx((0.14, 0.03726, 0.23725), abs=2e-5)


def test_the_interval_of_a_difference_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    n_trials, held = 1000, 0
    for _ in range(n_trials):
        cell = rng.choice(4, 300, p=[0.03, 0.01, 0.9, 0.06])
        found = difference((cell == 0) | (cell == 2), (cell == 1) | (cell == 2))
        held += found.low <= 0.02 <= found.high
    assert 0.93 <= held / n_trials <= 0.985


def test_differences_are_of_the_same_samples() -> None:
    with pytest.raises(InputError, match=r"shares of \(2,\) and \(3,\) samples; give \(n,\) twice, n > 0"):
        difference(np.ones(2, np.bool_), np.ones(3, np.bool_))
