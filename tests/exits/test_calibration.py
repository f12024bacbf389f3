import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from offramp.errors import InputError
from offramp.exits import ExitRule, fit_learned, fit_temperature, softmax

COLDEST, WARMEST = 0.05, 20.0


def scores_and_labels(seed, n=400, n_classes=4, truth=1.0):
    """Scores whose softmax at temperature `truth` is the probability of each label."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=3, size=(n, n_classes))
    labels = np.array([rng.choice(n_classes, p=p) for p in softmax(scores)])
    return scores * truth, labels


def smoothed_loss(temperature, scores, labels):
    """What fit_temperature says that it minimises, written plainly."""
    p, n = softmax(scores, temperature), len(labels)
    likelihood = np.log(p[np.arange(n), labels]).sum() + np.log(p).mean(axis=1).sum() / n
    return -likelihood / (n + 1)


@given(seed=st.integers(0, 10**6), truth=st.floats(0.2, 5), n=st.integers(2, 60))
def test_no_other_temperature_makes_the_labels_likelier(seed, truth, n):
    scores, labels = scores_and_labels(seed, n, truth=truth)
    found = fit_temperature(scores, labels)
    best = minimize_scalar(
        lambda log_t: smoothed_loss(np.exp(log_t), scores, labels),
        bounds=(np.log(COLDEST), np.log(WARMEST)),
        method="bounded",
    )
    assert COLDEST <= found <= WARMEST
    assert smoothed_loss(found, scores, labels) <= best.fun + 1e-9


@pytest.mark.parametrize("truth", [0.3, 1.0, 4.0])
def test_the_temperature_that_made_the_labels_is_found(truth):
    assert fit_temperature(*scores_and_labels(1, 4000, truth=truth)) == pytest.approx(truth, rel=0.05)


@given(seed=st.integers(0, 10**6), factor=st.floats(0.3, 3))
def test_scores_that_are_stretched_want_a_temperature_as_much_higher(seed, factor):
    scores, labels = scores_and_labels(seed, 50)
    alone = fit_temperature(scores, labels)
    if COLDEST < alone * factor < WARMEST and COLDEST < alone < WARMEST:
        assert fit_temperature(scores * factor, labels) == pytest.approx(alone * factor, rel=1e-6)


def test_samples_that_are_all_right_leave_confidences_below_one():
    scores, labels = 50 * np.eye(4)[[0, 1, 2, 3] * 5], [0, 1, 2, 3] * 5
    temperature = fit_temperature(scores, labels)
    wrong = 1 - softmax(scores, temperature).max(axis=1)
    assert COLDEST < temperature < WARMEST
    np.testing.assert_allclose(wrong, 0.75 / 21, rtol=1e-6)  # of 21 samples, one is of any class: 3/4 wrong


def test_scores_that_say_the_opposite_get_the_warmest_temperature():
    assert fit_temperature(5 * np.eye(4), [1, 2, 3, 0]) == WARMEST


def test_tiny_scores_that_are_right_get_the_coldest_temperature():
    assert fit_temperature(1e-6 * np.eye(4), [0, 1, 2, 3]) == COLDEST


def test_equal_scores_leave_the_temperature_alone():
    assert fit_temperature(np.full((3, 4), 7.0), [0, 1, 2]) == 1.0


def test_learned_weights_solve_the_ridge_regression_that_they_claim_to():
    scores, labels = scores_and_labels(1, 300)
    right = scores.argmax(axis=1) == labels
    weights = fit_learned(scores, right)
    x = np.sort(scores, axis=1)[:, ::-1]
    gaps = x[:, 1:] - x[:, :1]
    mean, spread = gaps.mean(axis=0), gaps.std(axis=0)
    n_right = right.sum()
    target = np.where(right, (n_right + 1) / (n_right + 2), 1 / (300 - n_right + 2))

    def loss(solution):
        z = (gaps - mean) / spread @ solution[:-1] + solution[-1]
        return (np.logaddexp(0, z) - target * z).sum() + (solution[:-1] ** 2).sum() / 2

    best = minimize(loss, np.zeros(4), tol=1e-10)
    z = (gaps - mean) / spread @ best.x[:-1] + best.x[-1]
    learned = ExitRule(0.5, "learned", weights=weights).confidence(scores)
    np.testing.assert_allclose(learned, 1 / (1 + np.exp(-z)), atol=1e-5)


def test_on_the_device_a_dot_product_of_the_sorted_scores_is_enough():
    scores, labels = scores_and_labels(2)
    weights = np.array(fit_learned(scores, scores.argmax(axis=1) == labels))
    z = np.sort(scores + 5, axis=1)[:, ::-1] @ weights[:-1] + weights[-1]
    learned = ExitRule(0.5, "learned", weights=tuple(weights)).confidence(scores)
    np.testing.assert_allclose(1 / (1 + np.exp(-z)), learned, rtol=1e-9)


def test_the_learned_confidence_is_calibrated_on_scores_of_any_scale():
    for scale in (1e-3, 1.0, 1e3):
        scores, labels = scores_and_labels(3, 2000)
        right = scores.argmax(axis=1) == labels
        rule = ExitRule(0.5, "learned", weights=fit_learned(scores * scale, right))
        confidence = rule.confidence(scores * scale)
        assert confidence.mean() == pytest.approx(right.mean(), abs=0.002)
        assert confidence[right].mean() > confidence[~right].mean() + 0.15


@pytest.mark.parametrize(("right", "confidence"), [(True, 9 / 10), (False, 1 / 10)], ids=["right", "wrong"])
def test_samples_of_one_outcome_give_everyone_one_confidence(right, confidence):
    scores, _ = scores_and_labels(4, 8)
    rule = ExitRule(0.5, "learned", weights=fit_learned(scores, np.full(8, right)))
    assert rule.weights[:-1] == (0.0,) * 4  # not just tiny: noise would rank samples
    np.testing.assert_allclose(rule.confidence(scores), confidence)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 12), n_classes=st.integers(1, 5))
def test_few_samples_give_finite_weights_that_sum_to_zero(seed, n, n_classes):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, size=(n, n_classes)) * 10.0 ** rng.integers(-3, 4)
    *weights, constant = fit_learned(scores, rng.random(n) < 0.7)
    assert len(weights) == n_classes
    assert np.isfinite([*weights, constant]).all()
    assert sum(weights) == pytest.approx(0, abs=1e-9 * (1 + max(map(abs, weights))))


@pytest.mark.parametrize(
    ("scores", "labels", "text"),
    [
        ([1, 2], [0], r"scores of shape \(2,\); give a matrix"),
        (np.zeros((0, 2)), np.zeros(0, int), "no calibration samples"),
        ([[np.nan, 0]], [0], "hold NaN or infinity, or exceed"),
        ([[1e200, 0]], [0], "hold NaN or infinity, or exceed"),
        ([[1, 0]], [0, 1], r"labels of shape \(2,\) for 1 samples; give one class number a sample"),
        ([[1, 0]], [0.0], "labels of type float64; give class numbers"),
        ([[1, 0], [0, 1]], [-1, 0], r"labels from -1 to 0; 2 classes are 0\.\.1"),
    ],
    ids=["vector", "empty", "nan", "huge", "n-labels", "float-labels", "no-class"],
)
def test_a_temperature_is_not_fitted_to_bad_samples(scores, labels, text):
    with pytest.raises(InputError, match=text):
        fit_temperature(scores, labels)


@pytest.mark.parametrize("right", [[1], [True, False], [[True]]], ids=["numbers", "too-many", "matrix"])
def test_learning_takes_one_boolean_a_sample(right):
    with pytest.raises(InputError, match="for 1 samples; give one boolean a sample"):
        fit_learned([[1, 0]], right)
