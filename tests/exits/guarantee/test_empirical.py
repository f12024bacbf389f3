import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import InputError
from offramp.exits import CRITERIA, NEVER, ExitRule, max_softmax
from offramp.exits.guarantee import Outcomes, empirical_threshold


@st.composite
def outcomes(draw):
    """Few different confidences, so that many are equal; one to three exits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, n_exits, n_classes = draw(st.integers(1, 40)), draw(st.integers(1, 3)), draw(st.integers(2, 4))
    return Outcomes(
        confidence=rng.integers(0, 6, size=(n_exits, n)) / 5,
        exit_labels=rng.integers(0, n_classes, size=(n_exits, n)),
        tail_labels=rng.integers(0, n_classes, size=n),
        labels=rng.integers(0, n_classes, size=n),
        on_edge=np.arange(n_exits) < draw(st.integers(0, n_exits)),
    )


def drop_and_rate(given, threshold):
    system = given.system_labels(threshold)
    drop = (given.tail_labels == given.labels).mean() - (system == given.labels).mean()
    return drop, (given.answered_by(threshold) >= 0).mean()


@given(data=outcomes(), max_drop=st.sampled_from([0.0, 0.005, 0.1, 0.5, 1.0]))
def test_no_threshold_within_the_drop_exits_more(data, max_drop):
    threshold, evidence = empirical_threshold(data, max_accuracy_drop=max_drop)
    drop, rate = drop_and_rate(data, threshold)
    assert drop <= max_drop + 1e-9
    assert evidence["accuracy_drop"] == pytest.approx(drop)
    assert evidence["exit_rate"] == pytest.approx(rate)
    for other in [*np.unique(data.confidence), NEVER]:
        other_drop, other_rate = drop_and_rate(data, other)
        assert other_drop > max_drop or other_rate <= rate


def test_an_exit_that_is_always_wrong_never_exits():
    wrong = Outcomes.of_one_exit([[9, 0]] * 10, [[0, 9]] * 10, [1] * 10)
    threshold, evidence = empirical_threshold(wrong, max_accuracy_drop=0.05)
    assert threshold == NEVER
    assert evidence["exit_rate"] == 0


def test_the_threshold_lies_halfway_to_the_next_confidence():
    exits = np.array([[5.0, 0], [1.0, 0]])  # the second one is wrong
    threshold, _ = empirical_threshold(
        Outcomes.of_one_exit(exits, [[1, 0], [0, 1]], [0, 1]), max_accuracy_drop=0.0
    )
    assert threshold == pytest.approx(max_softmax(exits).mean())


@pytest.mark.parametrize("criterion", CRITERIA)
def test_one_exit_is_as_sure_as_its_rule_says(criterion):
    rng = np.random.default_rng(0)
    exits, tails, labels = rng.normal(size=(80, 4)), rng.normal(size=(80, 4)), rng.integers(0, 4, 80)
    weights = (2.0, -1.0, -1.0, -1.0, 0.5) if criterion == "learned" else ()
    rule = ExitRule(NEVER, criterion, temperature=3.0, weights=weights)
    told = Outcomes.of_one_exit(exits, tails, labels, rule=rule)
    np.testing.assert_array_equal(told.confidence, rule.confidence(exits)[None])
    np.testing.assert_array_equal(told.exit_labels, exits.argmax(1)[None])
    np.testing.assert_array_equal(told.tail_labels, tails.argmax(1))
    assert told.on_edge.tolist() == [True]


def test_the_evidence_says_that_nothing_is_guaranteed():
    _, evidence = empirical_threshold(Outcomes.of_one_exit([[1, 0]], [[1, 0]], [0]))
    assert evidence == {
        "method": "empirical",
        "guarantee": "none",
        "n": 1,
        "max_accuracy_drop": 0.005,
        "accuracy_drop": 0.0,
        "exit_rate": 1.0,
        "tail_accuracy": 1.0,
    }


def test_an_exit_that_is_never_sure_never_exits():
    told = Outcomes.of_one_exit([[np.nan, 0]], [[1, 0]], [0])
    assert empirical_threshold(told)[0] == NEVER


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ([[1, 0]], [[1, 0, 0]], [0]),
            r"exit scores \(1, 2\) and tail scores \(1, 3\) do not belong together",
        ),
        ((np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, int)), "no calibration samples"),
        (([[1, 0]], [[1, 0]], [0.5]), "labels: float64"),
        (([[1, 0]], [[1, 0]]), "accuracy-drop needs true labels"),
    ],
    ids=["shapes", "empty", "labels", "no labels"],
)
def test_bad_calibration_data_is_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        empirical_threshold(Outcomes.of_one_exit(*arguments))


def test_a_drop_outside_the_unit_interval_is_refused():
    told = Outcomes.of_one_exit([[1, 0]], [[1, 0]], [0])
    with pytest.raises(InputError, match=r"max_accuracy_drop=2; use a share in \[0, 1\]"):
        empirical_threshold(told, max_accuracy_drop=2)
