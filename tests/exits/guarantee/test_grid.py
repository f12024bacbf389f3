"""Samples set aside and thresholds that come into question."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import DataError, InputError
from offramp.exits.guarantee import Outcomes, fitting_split, threshold_grid


def with_confidence(confidence: np.ndarray) -> Outcomes:
    labels = np.zeros(confidence.shape[1], int)
    n_exits = len(confidence)
    return Outcomes(confidence, np.zeros(confidence.shape, int), labels, None, np.ones(n_exits, bool))


@given(st.integers(2, 500), st.floats(0.01, 0.99), st.integers(0, 100))
def test_every_sample_is_in_one_part(n: int, share: float, seed: int) -> None:
    if not 0 < round(share * n) < n:
        with pytest.raises(InputError, match="give one that leaves samples to fit and certify"):
            fitting_split(n, share=share, seed=seed)
        return
    fitting, certifying = fitting_split(n, share=share, seed=seed)
    assert len(fitting) == round(share * n)
    assert sorted([*fitting, *certifying]) == list(range(n))


def test_the_split_is_the_same_on_every_machine() -> None:
    assert fitting_split(10, share=0.3, seed=4)[0].tolist() == [3, 5, 7]


def test_thresholds_fall_from_few_exits_to_all() -> None:
    confidence = np.random.default_rng(0).random((1, 5000))
    grid = threshold_grid(with_confidence(confidence))
    assert 150 < len(grid) < 230
    assert (np.diff(grid) < 0).all()
    assert grid[-1] == 0
    rates = (confidence[0][None, :] >= grid[:, None]).mean(axis=1)
    assert rates[0] == 0.001
    assert np.diff(rates).max() <= 0.0201
    assert np.diff(rates[rates >= 0.9]).max() <= 0.00101


@given(st.lists(st.sampled_from([0.0, 0.3, 0.3 + 1e-16, 0.7, 1.0]), min_size=1, max_size=30))
def test_a_threshold_cuts_between_confidences_and_not_at_one(values: list[float]) -> None:
    grid = threshold_grid(with_confidence(np.array([values])))
    assert grid[-1] == 0
    assert ((grid >= 0) & (grid <= 1)).all()
    for threshold in grid[:-1]:
        below, above = [v for v in [0.0, *values] if v < threshold], [v for v in values if v >= threshold]
        assert threshold == pytest.approx((max(below) + min(above)) / 2, abs=1e-16)


def test_of_several_exits_the_surest_counts() -> None:
    confidence = np.array([[0.2, np.nan, 0.2], [0.8, 0.6, np.nan]])
    assert threshold_grid(with_confidence(confidence)) == pytest.approx([0.7, 0.4, 0.1, 0.0])


@pytest.mark.parametrize("confidence", [np.zeros((1, 0)), np.full((2, 3), np.nan)], ids=["none", "nan"])
def test_without_confidences_there_is_no_threshold(confidence: np.ndarray) -> None:
    with pytest.raises(DataError, match="samples to fit on, none with a confidence; give some on which"):
        threshold_grid(with_confidence(confidence))
