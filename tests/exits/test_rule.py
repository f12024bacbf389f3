import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.exits import CRITERIA, NEVER, ExitRule, Profile


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


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf])
def test_an_impossible_temperature_says_what_is_possible(temperature):
    with pytest.raises(ConfigError, match=f"exit temperature {temperature}; use a number above 0"):
        ExitRule(0.5, temperature=temperature)


@pytest.mark.parametrize(
    ("criterion", "weights", "text"),
    [
        ("margin", (1.0, 0.0), "2 weights for the criterion margin; only learned has weights"),
        ("learned", (), "0 weights for the criterion learned; give one for each class and a constant"),
        ("learned", (1.0, np.nan), "they are finite"),
    ],
    ids=["not-learned", "none", "nan"],
)
def test_weights_belong_to_the_learned_criterion_alone(criterion, weights, text):
    with pytest.raises(ConfigError, match=text):
        ExitRule(0.5, criterion, weights=weights)


def test_a_number_in_the_place_of_the_evidence_is_refused():
    with pytest.raises(ConfigError, match=r"evidence 2\.0; give a mapping, and `temperature` by its name"):
        ExitRule(0.5, "entropy", 2.0)


def test_rules_from_lists_equal_those_from_tuples():
    from_lists = ExitRule(0.5, "learned", weights=[1, -1, 0], profile=Profile([0, 1], [3]))
    assert from_lists == ExitRule(0.5, "learned", weights=(1.0, -1.0, 0.0), profile=Profile((0.0, 1.0), (3,)))


@pytest.mark.parametrize("criterion", CRITERIA)
def test_sure_is_confidence_from_the_threshold_on(criterion):
    scores = np.random.default_rng(0).normal(size=(50, 4))
    weights = (3.0, -1.0, -1.0, -1.0, 0.5) if criterion == "learned" else ()
    confidence = ExitRule(0.0, criterion, weights=weights, temperature=0.5).confidence(scores)
    rule = ExitRule(confidence[7], criterion, weights=weights, temperature=0.5)
    assert rule.sure(scores).tolist() == (confidence >= confidence[7]).tolist()
