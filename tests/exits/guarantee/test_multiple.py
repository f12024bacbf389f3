"""Tests of many hypotheses at once."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.exits.guarantee.multiple import bonferroni, fixed_sequence, holm

Family = Callable[[np.ndarray, float], np.ndarray]
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array)


def test_a_sequence_ends_before_the_first_that_is_not_rejected() -> None:
    p = np.array([0.01, 0.04, 0.06, 0.001])
    assert fixed_sequence(p, 0.05).tolist() == [True, True, False, False]


def test_a_sequence_that_fails_at_once_rejects_nothing() -> None:
    assert not fixed_sequence(np.array([0.06, 0.0]), 0.05).any()


def test_what_lies_before_the_start_is_not_rejected() -> None:
    assert fixed_sequence(np.array([0.0, 0.0, 0.0, 0.5]), 0.05, start=2).tolist() == [
        False,
        False,
        True,
        False,
    ]


def test_holm_rejects_step_by_step() -> None:
    # 0.01 <= 0.05 / 4, 0.016 <= 0.05 / 3, 0.03 > 0.05 / 2; Bonferroni has 0.05 / 4 for all.
    p = np.array([0.016, 0.04, 0.01, 0.03])
    assert holm(p, 0.05).tolist() == [True, False, True, False]
    assert bonferroni(p, 0.05).tolist() == [False, False, True, False]


@given(P_VALUES)
def test_holm_rejects_all_that_bonferroni_does(p: np.ndarray) -> None:
    assert (holm(p, 0.05) >= bonferroni(p, 0.05)).all()


@pytest.mark.parametrize("family", [fixed_sequence, bonferroni, holm])
@pytest.mark.parametrize("alike", [True, False], ids=["alike", "independent"])
def test_any_true_hypothesis_is_rejected_as_rarely_as_asked(family: Family, alike: bool) -> None:
    """Eight true hypotheses behind two false ones, 4,000 times."""
    rng, n_wrong = np.random.default_rng(5), 0
    for _ in range(4000):
        true = np.full(8, rng.random()) if alike else rng.random(8)
        n_wrong += family(np.concatenate([[1e-6, 1e-6], true]), 0.1)[2:].any()
    assert n_wrong / 4000 < 0.1 + 4 * (0.09 / 4000) ** 0.5
