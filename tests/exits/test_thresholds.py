import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import InputError
from offramp.exits import CRITERIA, NEVER, ExitRule, empirical_threshold, max_softmax


@st.composite
def calibration_sets(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, n_classes = draw(st.integers(1, 40)), draw(st.integers(2, 4))
    # whole numbers make many equal confidences
    exits = rng.integers(0, 3, size=(n, n_classes)).astype(float)
    tails = rng.integers(0, 3, size=(n, n_classes)).astype(float)
    return exits, tails, rng.integers(0, n_classes, size=n)


def drop_and_rate(threshold, exits, tails, labels):
    sure = max_softmax(exits) >= threshold
    verdict = np.where(sure, exits.argmax(axis=1), tails.argmax(axis=1))
    return (tails.argmax(axis=1) == labels).mean() - (verdict == labels).mean(), sure.mean()


@given(data=calibration_sets(), max_drop=st.sampled_from([0.0, 0.005, 0.1, 0.5, 1.0]))
def test_no_threshold_within_the_drop_exits_more(data, max_drop):
    rule = empirical_threshold(*data, max_accuracy_drop=max_drop)
    drop, rate = drop_and_rate(rule.threshold, *data)
    assert drop <= max_drop + 1e-9
    assert rule.evidence["accuracy_drop"] == pytest.approx(drop)
    assert rule.evidence["exit_rate"] == pytest.approx(rate)
    for other in [*np.unique(max_softmax(data[0])), NEVER]:
        other_drop, other_rate = drop_and_rate(other, *data)
        assert other_drop > max_drop or other_rate <= rate


def test_an_exit_that_is_always_wrong_never_exits():
    rule = empirical_threshold([[9, 0]] * 10, [[0, 9]] * 10, [1] * 10, max_accuracy_drop=0.05)
    assert rule.threshold == NEVER
    assert rule.evidence["exit_rate"] == 0


def test_the_threshold_lies_halfway_to_the_next_confidence():
    exits = np.array([[5.0, 0], [1.0, 0]])  # the second one is wrong
    rule = empirical_threshold(exits, [[1, 0], [0, 1]], [0, 1], max_accuracy_drop=0.0)
    assert rule.threshold == pytest.approx(max_softmax(exits).mean())


@pytest.mark.parametrize("criterion", CRITERIA)
@given(data=calibration_sets(), max_drop=st.sampled_from([0.0, 0.1]))
def test_any_criterion_can_be_thresholded(criterion, data, max_drop):
    weights = (2.0, *[-1.0] * (data[0].shape[1] - 1), 0.5) if criterion == "learned" else ()
    template = ExitRule(0.5, criterion, {"method": "guess"}, temperature=3.0, weights=weights)
    rule = empirical_threshold(*data, max_accuracy_drop=max_drop, rule=template)
    assert (rule.criterion, rule.temperature, rule.weights) == (criterion, 3.0, weights)
    assert rule.evidence["method"] == "empirical"
    assert rule.sure(data[0]).mean() == pytest.approx(rule.evidence["exit_rate"])


def test_the_temperature_moves_the_threshold_and_not_who_exits():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(80, 4)), rng.normal(size=(80, 4)), rng.integers(0, 4, 80)
    cold = empirical_threshold(*data, rule=ExitRule(NEVER, "max_softmax", temperature=0.999))
    plain = empirical_threshold(*data)
    assert cold.threshold > plain.threshold
    assert cold.evidence == plain.evidence


def test_the_evidence_says_that_nothing_is_guaranteed():
    rule = empirical_threshold([[1, 0]], [[1, 0]], [0], data_digest="abc")
    assert rule.evidence == {
        "method": "empirical",
        "guarantee": "none",
        "n": 1,
        "max_accuracy_drop": 0.005,
        "accuracy_drop": 0.0,
        "exit_rate": 1.0,
        "tail_accuracy": 1.0,
        "exit_accuracy": 1.0,
        "data_digest": "abc",
    }


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (([[1, 0]], [[1, 0]], [0, 1]), r"labels \(2,\) do not belong together"),
        ((np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, int)), "no calibration samples"),
        (([[np.nan, 0]], [[1, 0]], [0]), "NaN or infinity"),
        (([[1, 0]], [[1, 0]], [0.5]), "give class numbers"),
        (([[1, 0]], [[1, 0]], [2]), r"labels from 2 to 2; 2 classes are 0\.\.1"),
    ],
    ids=["shapes", "empty", "nan", "labels", "no-class"],
)
def test_bad_calibration_data_is_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        empirical_threshold(*arguments)


def test_a_drop_outside_the_unit_interval_is_refused():
    with pytest.raises(InputError, match=r"max_accuracy_drop=2; use a share in \[0, 1\]"):
        empirical_threshold([[1, 0]], [[1, 0]], [0], max_accuracy_drop=2)
