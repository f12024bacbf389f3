import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from offramp.errors import InputError
from offramp.exits import CRITERIA, ExitRule, max_softmax, softmax

scores = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(-1e4, 1e4, width=32)
)
SOFTMAX_CRITERIA = [criterion for criterion in CRITERIA if criterion != "learned"]
NO_VERDICT = [[np.nan, 1], [np.inf, 1], [np.inf, np.inf], [-np.inf, 1], [-np.inf, -np.inf]]


def rule_for(criterion, n_classes, **settings):
    weights = np.linspace(-1, 1, n_classes + 1) if criterion == "learned" else ()
    return ExitRule(0.5, criterion, weights=tuple(weights), **settings)


@given(scores=scores)
def test_probabilities_sum_to_one_and_keep_the_order(scores):
    p = softmax(scores)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert (np.take_along_axis(p, scores.argmax(axis=1)[:, None], axis=1)[:, 0] == p.max(axis=1)).all()


@given(scores=scores)
def test_max_softmax_is_the_largest_probability(scores):
    np.testing.assert_allclose(max_softmax(scores), softmax(scores).max(axis=1), rtol=1e-12)


@pytest.mark.parametrize("criterion", CRITERIA)
@given(scores=scores)
def test_confidence_is_a_float64_between_zero_and_one(criterion, scores):
    confidence = rule_for(criterion, scores.shape[1]).confidence(scores)
    assert confidence.dtype == np.float64
    assert confidence.shape == scores.shape[:1]
    assert ((confidence >= 0) & (confidence <= 1)).all()


@pytest.mark.parametrize("criterion", CRITERIA)
@given(scores=scores, shift=st.floats(-100, 100), seed=st.integers(0, 100))
def test_neither_a_common_shift_nor_the_order_of_classes_changes_it(criterion, scores, shift, seed):
    rule = rule_for(criterion, scores.shape[1])
    values = scores.astype(np.float64)
    moved = np.random.default_rng(seed).permutation(values + shift, axis=1)
    np.testing.assert_allclose(rule.confidence(moved), rule.confidence(values), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("criterion", SOFTMAX_CRITERIA)
@given(scores=scores, low=st.floats(0.05, 20), high=st.floats(0.05, 20))
def test_a_higher_temperature_is_never_surer(criterion, scores, low, high):
    warm = ExitRule(0.5, criterion, temperature=max(low, high)).confidence(scores)
    cold = ExitRule(0.5, criterion, temperature=min(low, high)).confidence(scores)
    assert (warm <= cold + 1e-12).all()


@pytest.mark.parametrize(
    ("criterion", "value"),
    [
        ("max_softmax", 0.5),
        ("entropy", 1 - 1.0397207708399179 / np.log(3)),  # H(1/2, 1/4, 1/4)
        ("margin", 0.25),
        ("learned", 1 / (1 + np.exp(-(-3 * np.log(2) / 2 - 3 * np.log(2) / 2 + 1)))),
    ],
    ids=CRITERIA,
)
def test_each_criterion_means_what_it_says(criterion, value):
    weights = (-6.0, 3.0, 3.0, 1.0) if criterion == "learned" else ()
    rule = ExitRule(0.5, criterion, temperature=2.0, weights=weights)
    row = 2 * np.log([0.25, 0.5, 0.25]) + 7
    if criterion == "learned":
        row = row / 2  # scores log 2 apart, so x = (0, -log 2 / 2, -log 2 / 2)
    np.testing.assert_allclose(rule.confidence([row]), [value])


@pytest.mark.parametrize("criterion", SOFTMAX_CRITERIA)
def test_one_class_alone_is_sure_and_equal_classes_are_the_least_sure(criterion):
    rule = ExitRule(0.5, criterion)
    assert rule.confidence([[3.0]]).tolist() == [1.0]
    least = 0.25 if criterion == "max_softmax" else 0.0
    np.testing.assert_allclose(rule.confidence(np.zeros((1, 4))), [least], atol=1e-15)


@pytest.mark.parametrize("criterion", SOFTMAX_CRITERIA)
def test_scores_at_the_ends_of_float64_still_have_a_verdict(criterion):
    assert ExitRule(0.5, criterion).confidence([[1e308, -1e308]]).tolist() == [1.0]


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("row", NO_VERDICT, ids=str)
def test_a_row_that_is_not_finite_has_no_confidence_and_is_never_sure(criterion, row):
    rule = rule_for(criterion, 2)
    confidence = rule.confidence([row, [1, 0]])
    assert np.isnan(confidence).tolist() == [True, False]
    assert not rule.sure([row])[0]
    assert np.isnan(softmax([row])).all()


def test_scores_must_be_a_matrix():
    with pytest.raises(InputError, match=r"scores of shape \(3,\); give a matrix"):
        max_softmax([1, 2, 3])


def test_weights_of_another_number_of_classes_say_how_many_there_should_be():
    with pytest.raises(InputError, match="3 weights for 3 classes; the learned criterion needs 4"):
        rule_for("learned", 2).confidence([[1, 2, 3]])
