"""Means, intervals and verdicts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from offramp.errors import ConfigError
from offramp.experiments import spread, verdict
from offramp.experiments.statistics import Spread

Percents = st.lists(st.floats(0, 100), min_size=2, max_size=20)


@given(Percents)
def test_the_interval_is_student_s(values: list[float]) -> None:
    found = spread(values)
    t = stats.t.ppf(0.975, len(values) - 1)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.deviation == pytest.approx(np.std(values, ddof=1))
    assert found.margin == pytest.approx(t * np.std(values, ddof=1) / np.sqrt(len(values)))


@given(Percents, st.floats(-50, 50))
def test_moving_all_values_moves_the_mean_alone(values: list[float], by: float) -> None:
    here, there = spread(values), spread([value + by for value in values])
    assert there.mean == pytest.approx(here.mean + by, abs=1e-9)
    assert there.deviation == pytest.approx(here.deviation, abs=1e-9)


@given(Percents)
def test_one_run_spreads_wider_than_the_mean(values: list[float]) -> None:
    found = spread(values)
    assert found.margin is not None
    assert found.margin_of_one is not None
    assert found.margin_of_one >= found.margin >= 0


def test_the_interval_holds_the_true_mean_19_times_in_20() -> None:
    rng = np.random.default_rng(0)
    found = [spread(values) for values in rng.normal(95, 0.4, size=(2000, 5)).tolist()]
    held = np.mean([abs(one.mean - 95) <= (one.margin or 0) for one in found])
    one_more = rng.normal(95, 0.4, size=2000)
    fell = [abs(one.mean - new) <= (one.margin_of_one or 0) for one, new in zip(found, one_more, strict=True)]
    assert held == pytest.approx(0.95, abs=0.015)
    assert np.mean(fell) == pytest.approx(0.95, abs=0.015)


def test_one_value_has_no_interval_and_none_no_mean() -> None:
    assert spread([93.5]) == Spread(1, 93.5, None, None, None)
    with pytest.raises(ConfigError, match="no runs to take the mean of"):
        spread([])


@given(st.floats(50, 99), st.floats(-5, 5), st.booleans(), st.floats(0, 3))
def test_a_sparse_row_is_judged_by_its_mean_alone(
    paper: float, off: float, sparse: bool, margin: float
) -> None:
    ours = Spread(5, paper + off, margin, margin, 2 * margin)
    found = verdict(ours, paper, sparse=sparse)
    assert (found == "holds") == (abs(ours.mean - paper) <= 0.3 + 1e-9)
    if sparse:
        assert found in ("holds", "above" if off > 0 else "below")


def test_a_dense_row_may_be_within_its_spread() -> None:
    wide = Spread(5, 90.0, 1.0, 1.2, 3.0)
    assert verdict(wide, 91.1, sparse=False) == "in interval"
    assert verdict(wide, 92.5, sparse=False) == "in spread"
    assert verdict(wide, 93.5, sparse=False) == "below"
    assert verdict(wide, 86.5, sparse=False) == "above"
    assert verdict(wide, 91.1, sparse=True) == "below"
    assert verdict(spread([90.0]), 91.1, sparse=False) == "below"
