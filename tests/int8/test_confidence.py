"""How sure an integer exit is: near the float32 rule's word, and a threshold that is exact."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.exits import CRITERIA, NEVER, ExitRule
from offramp.int8 import NEVER_SURE, IntegerRule

# The largest errors seen: 9e-5, 1.3e-3, 1.7e-4, 7e-4, for up to 10 classes.
NEAR = {"max_softmax": 2e-4, "entropy": 2e-3, "margin": 4e-4, "learned": 2e-3}


@st.composite
def rules(draw, criteria=CRITERIA):
    """A rule for 2 to 10 classes, and scores that reach over some of its octaves."""
    n, criterion = draw(st.integers(2, 10)), draw(st.sampled_from(criteria))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    weights = (*(rng.standard_normal(n) / n).tolist(), draw(st.floats(-3, 3)))
    rule = ExitRule(
        draw(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, NEVER]))),
        criterion,
        temperature=draw(st.floats(0.05, 20)),
        weights=weights if criterion == "learned" else (),
    )
    unit = 10.0 ** draw(st.floats(-7, 0))
    spread = draw(st.floats(0.1, 15)) * rule.temperature / unit  # in nats
    scores = np.rint(rng.standard_normal((50, n)) * min(spread, 2**28)).astype(np.int64)
    return IntegerRule(rule, unit, n), scores


@given(rules())
def test_it_is_as_sure_as_the_float_rule_nearly(case):
    made, scores = case
    wanted = made.rule.confidence(scores * made.unit)
    assert np.abs(made.confidence(scores) - wanted).max() < NEAR[made.rule.criterion]


@given(rules(["max_softmax"]))
def test_the_level_of_max_softmax_is_as_near_as_the_page_says(case):
    made, scores = case
    behind = np.sort((scores.max(axis=1, keepdims=True) - scores) * made.unit / made.rule.temperature, axis=1)
    truth = np.exp(-behind[:, 1:]).sum(axis=1)
    error = np.abs(-made.level(scores) / 2**16 - truth)
    assert (error <= 3e-4 * truth + made.n_classes / 2**16).all()


@given(rules())
def test_levels_fit_32_bits_and_confidence_never_falls_as_they_rise(case):
    made, scores = case
    levels = np.sort(made.level(scores))
    assert -(2**31) <= levels[0] <= levels[-1] < NEVER_SURE
    grid = np.unique(np.concatenate([levels, np.linspace(-(2**31), NEVER_SURE, 1000).astype(np.int64)]))
    confidence = made.confidence_of(grid)
    assert (np.diff(confidence) >= 0).all()
    assert 0 <= confidence[0] <= confidence[-1] <= 1


@given(rules())
def test_the_threshold_is_the_least_level_that_is_sure(case):
    made, scores = case
    level, threshold = made.threshold_level, made.rule.threshold
    if level < NEVER_SURE:
        assert made.confidence_of(level) >= threshold
    if level > -(2**31):
        assert made.confidence_of(level - 1) < threshold
    np.testing.assert_array_equal(made.sure(scores), made.confidence(scores) >= threshold)


@given(st.sampled_from(CRITERIA))
def test_a_threshold_beyond_all_confidence_is_never_reached(criterion):
    weights = (0.0, 0.0, 9.0) if criterion == "learned" else ()
    made = IntegerRule(ExitRule(NEVER, criterion, weights=weights), 1.0, 2)
    assert made.threshold_level == NEVER_SURE
    assert not made.sure([[2**31 - 1, 0]]).any()
    assert IntegerRule(ExitRule(0.0, criterion, weights=weights), 1.0, 2).sure([[0, 0]]).all()


@given(st.floats(1e-300, 1e300), st.floats(1e-30, 1e30))
@example(temperature=5e-324, unit=1e30)
def test_no_temperature_is_too_cold_or_too_warm(temperature, unit):
    made = IntegerRule(ExitRule(0.5, temperature=temperature), unit, 3)
    assert made.confidence([[5, 5, 5], [2**31 - 1, 0, -(2**31) + 1]])[0] == pytest.approx(1 / 3, abs=1e-4)
    levels = made.level(np.array([[7, 0, 0], [7, 6, 0], [7, 7, 0]]))
    assert (np.diff(levels) <= 0).all()


def test_other_numbers_of_classes_are_refused():
    for n in (1, 4097):
        with pytest.raises(ConfigError, match=f"{n} classes; an integer exit knows 2 to 4096"):
            IntegerRule(ExitRule(0.5), 1.0, n)
