import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.exits import NEVER, ExitRule


@given(a=st.floats(0, 2), b=st.floats(0, 2))
def test_a_higher_threshold_never_exits_more(a, b):
    scores = np.random.default_rng(0).normal(size=(50, 4))
    low, high = ExitRule(min(a, b)).sure(scores), ExitRule(max(a, b)).sure(scores)
    assert not (high & ~low).any()


def test_zero_always_exits_and_never_does_not():
    scores = [[0, 0, 0], [1e9, 0, 0]]
    assert ExitRule(0.0).sure(scores).tolist() == [True, True]
    assert ExitRule(NEVER).sure(scores).tolist() == [False, False]


def test_nan_is_never_sure():
    assert ExitRule(0.0).sure([[np.nan, 1], [np.inf, 1]]).tolist() == [False, False]


def test_confidence_equal_to_the_threshold_is_sure():
    assert ExitRule(0.5).sure([[0, 0]]).tolist() == [True]


@pytest.mark.parametrize("threshold", [-0.1, np.nan, np.inf])
def test_an_impossible_threshold_says_what_is_possible(threshold):
    with pytest.raises(ConfigError, match=r"use a confidence in \[0, 1\], or 2.0 to never exit"):
        ExitRule(threshold)


def test_an_unknown_criterion_lists_the_known_ones():
    with pytest.raises(ConfigError, match="unknown exit criterion 'luck'; use one of max_softmax"):
        ExitRule(0.5, criterion="luck")
