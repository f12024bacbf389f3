"""P-values are valid, and their bounds belong to them."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.exits.guarantee import BOUNDS
from offramp.exits.guarantee.bounds import least_n, p_values, upper_bounds

RISKS = st.sampled_from([0.003, 0.01, 0.1, 0.5, 0.9])
DELTA = 0.05


def exact(n: int, risk: float) -> np.ndarray:
    """(n + 1,): the probability of each number of losses."""
    return np.array([comb(n, k) * risk**k * (1 - risk) ** (n - k) for k in range(n + 1)])


@pytest.mark.parametrize("bound", BOUNDS)
@given(n=st.integers(1, 120), risk=RISKS, truth=st.floats(0, 0.99), delta=st.floats(0.001, 0.5))
def test_a_p_value_is_small_as_rarely_as_it_says(
    bound: str, n: int, risk: float, truth: float, delta: float
) -> None:
    true_risk = risk + truth * (1 - risk)  # the hypothesis holds
    values = p_values(bound, n, np.arange(n + 1), 0, risk, delta=delta)
    weights = exact(n, true_risk)
    for level in np.unique(values):
        assert weights[values <= level].sum() <= level + 1e-9


@given(n=st.integers(1, 25), risk=RISKS, gain=st.floats(0, 0.5), delta=st.floats(0.001, 0.5))
def test_wsr_is_valid_with_gains(n: int, risk: float, gain: float, delta: float) -> None:
    loss = min(1.0, risk + gain)
    gain = min(loss - risk, 1 - loss)
    if loss - gain < risk:  # a drop of that size leaves no room for gains
        gain = max(0.0, loss - risk)
    losses, gains = np.meshgrid(np.arange(n + 1), np.arange(n + 1))
    there = losses + gains <= n
    lost, gained = losses[there], gains[there]
    weights = np.array(
        [
            comb(n, k) * comb(n - k, g) * loss**k * gain**g * max(0.0, 1 - loss - gain) ** (n - k - g)
            for k, g in zip(lost.tolist(), gained.tolist(), strict=True)
        ]
    )
    values = p_values("wsr", n, lost, gained, risk, delta=delta)
    assert loss - gain >= risk - 1e-12
    for level in (0.01, delta, 0.3):
        assert weights[values <= level].sum() <= level + 1e-9


@pytest.mark.parametrize("bound", BOUNDS)
@given(n=st.integers(0, 2000), share=st.floats(0, 1))
def test_more_losses_are_never_better_and_a_larger_risk_never_worse(bound: str, n: int, share: float) -> None:
    losses = round(share * n)
    values = p_values(bound, n, [max(0, losses - 1), losses], 0, 0.05, delta=DELTA)
    assert values[0] <= values[1] * (1 + 1e-9) <= 1 + 1e-8
    planned = p_values(bound, n, losses, 0, [0.02, 0.05, 0.4], delta=DELTA, planned_for=0.05)
    assert (np.diff(planned) <= 1e-9).all()


def test_no_samples_say_nothing() -> None:
    for bound in BOUNDS:
        assert p_values(bound, 0, 0, 0, 0.1, delta=DELTA) == 1


def test_binomial_is_the_exact_tail() -> None:
    assert p_values("binomial", 20, 3, 0, 0.1, delta=DELTA) == pytest.approx(exact(20, 0.1)[:4].sum())


def test_the_exact_bound_is_never_above_the_others() -> None:
    losses = np.arange(200)
    smallest = p_values("binomial", 4000, losses, 0, 0.02, delta=DELTA)
    for bound in BOUNDS[1:]:
        assert (smallest <= p_values(bound, 4000, losses, 0, 0.02, delta=DELTA) * (1 + 1e-9)).all()


def test_gains_count_for_wsr_alone() -> None:
    for bound in BOUNDS:
        without, with_gains = p_values(bound, 4000, 30, [0, 10], 0.01, delta=DELTA)
        assert (with_gains < without) == (bound == "wsr")


@pytest.mark.parametrize("bound", BOUNDS)
@given(n=st.integers(1, 3000), share=st.floats(0, 1))
def test_the_upper_bound_is_where_rejection_begins(bound: str, n: int, share: float) -> None:
    losses = round(share * n)
    top = float(upper_bounds(bound, n, losses, 0, delta=DELTA, planned_for=0.01))
    assert losses / n <= top <= 1
    for risk, rejected in ((top - 1e-9, False), (min(top + 1e-9, 1 - 1e-12), True)):
        if 0 < risk < 1 - 1e-9:
            assert (p_values(bound, n, losses, 0, risk, delta=DELTA, planned_for=0.01) <= DELTA) == rejected


def test_the_upper_bound_of_binomial_is_that_of_clopper_and_pearson() -> None:
    # No loss among 100: 1 - 0.05 ** (1 / 100).
    top = upper_bounds("binomial", 100, 0, 0, delta=DELTA, planned_for=0.01)
    assert top == pytest.approx(1 - DELTA**0.01, abs=1e-9)


@pytest.mark.parametrize("bound", BOUNDS)
@given(risk=RISKS, delta=st.floats(1e-4, 0.5))
def test_one_sample_fewer_than_the_least_shows_nothing(bound: str, risk: float, delta: float) -> None:
    n = least_n(bound, risk, delta=delta)
    assert p_values(bound, n, 0, 0, risk, delta=delta) <= delta
    assert n == 1 or p_values(bound, n - 1, 0, 0, risk, delta=delta) > delta


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="unknown bound 'luck'; use one of binomial, hoeffding-bentkus, wsr"
    ):
        p_values("luck", 1, 0, 0, 0.1, delta=DELTA)
    with pytest.raises(ConfigError, match=r"would take more than 1,099,511,627,776 samples; allow more risk"):
        least_n("binomial", 1e-15, delta=DELTA)
