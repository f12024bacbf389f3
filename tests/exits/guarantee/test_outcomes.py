"""Who answers at a threshold, and what cannot be outcomes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from offramp.errors import InputError
from offramp.exits.guarantee import Outcomes
from offramp.exits.guarantee.outcomes import TAIL


def outcomes() -> Outcomes:
    return Outcomes(
        confidence=np.array([[0.9, 0.2, np.nan, 0.3], [0.1, 0.6, 0.7, 0.3]]),
        exit_labels=np.array([[0, 1, 2, 3], [4, 5, 6, 7]]),
        tail_labels=np.array([8, 8, 8, 8]),
        labels=np.array([0, 5, 2, 8]),
        on_edge=np.array([True, False]),
    )


def test_the_first_sure_exit_answers_else_the_tail() -> None:
    assert outcomes().answered_by(0.6).tolist() == [0, 1, 1, TAIL]
    assert outcomes().system_labels(0.6).tolist() == [0, 5, 6, 8]


def test_an_earlier_exit_takes_over_when_the_threshold_falls() -> None:
    assert outcomes().answered_by(0.2).tolist() == [0, 0, 1, 0]


def test_nan_is_never_sure_and_hides_no_other_exit() -> None:
    assert outcomes().answered_by(0.0).tolist() == [0, 0, 1, 0]
    assert outcomes().surest()[:, 2].tolist() == [-np.inf, 0.7]


def test_samples_may_be_taken_twice_and_labels_be_missing() -> None:
    taken = replace(outcomes(), labels=None).take(np.array([1, 1, 3]))
    assert taken.n == 3
    assert taken.labels is None
    assert taken.answered_by(0.6).tolist() == [1, 1, TAIL]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"confidence": np.zeros(4)}, "confidences of shape (4,); give (n_exits, n), one exit or more"),
        (
            {"confidence": np.full((2, 4), 1.5)},
            "confidence 1.5; give values in [0, 1], or NaN where never sure",
        ),
        ({"exit_labels": np.zeros((1, 4), int)}, "exit_labels: int64 (1, 4); give class numbers (2, 4)"),
        ({"tail_labels": np.zeros(4)}, "tail_labels: float64 (4,); give class numbers (4,)"),
        ({"labels": np.zeros(3, int)}, "labels: int64 (3,); give class numbers (4,), as confidence has it"),
        ({"on_edge": np.array([False, True])}, "on_edge [False, True] for 2 exits; give one value each"),
    ],
    ids=["one dimension", "above one", "too few exits", "no class numbers", "too few labels", "edge last"],
)
def test_what_does_not_belong_together_is_refused(change: dict[str, Any], error: str) -> None:
    with pytest.raises(InputError) as raised:
        replace(outcomes(), **change)
    assert error in str(raised.value)
