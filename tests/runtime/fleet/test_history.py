import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.runtime.fleet.history import N_SLOTS, WINDOW_S, History


def kept(moments):
    history = History(2)
    for at, counts in moments:
        history.add(at, counts)
    return history


def steady(n, *, every_s, per_s=30):
    return [(i * every_s, (round(per_s * i * every_s), 0)) for i in range(n)]


@given(st.lists(st.tuples(st.floats(0, 60), st.integers(0, 1000)), min_size=1, max_size=200))
def test_what_happened_lately_is_what_came_in_the_window_within_a_step(steps):
    times, totals = np.cumsum(steps, axis=0).T
    now = times[-1]
    seconds, (lately, _) = kept([(t, (int(n), 0)) for t, n in zip(times, totals, strict=True)]).lately(now)
    assert 0 <= seconds <= WINDOW_S
    at_start = totals[times >= now - seconds - 1e-9].min()
    assert lately == totals[-1] - at_start  # a moment that was really seen, and the last one
    if len(times) > 1 and now - times[0] < WINDOW_S:
        assert seconds == pytest.approx(now - times[0])  # nothing is forgotten while it is young


@pytest.mark.parametrize("every_s", [0.1, 1, 2, 5, 10, 25])
def test_a_steady_rate_is_found_however_often_it_is_told(every_s):
    n = int(2000 / every_s)
    history = kept(steady(n, every_s=every_s))
    now = (n - 1) * every_s
    seconds, lately = history.lately(now)
    assert WINDOW_S - 30 <= seconds <= WINDOW_S
    assert lately[0] / seconds == pytest.approx(30)
    rates = history.rates(now, [0])[0]
    assert rates.shape == (N_SLOTS,)
    np.testing.assert_allclose(rates[~np.isnan(rates)], 30)
    assert np.isnan(rates).sum() <= 3  # the oldest slots, where a moment was just dropped


def test_before_the_first_moment_nothing_is_known_and_after_the_last_nothing_happened():
    rates = kept([(0, (0, 0)), (50, (100, 0))]).rates(200, [0, 1])
    known = rates[0][~np.isnan(rates[0])]
    np.testing.assert_allclose(known, [2] * 5 + [0] * 15)
    assert np.isnan(rates[0][: N_SLOTS - 20]).all()
    assert set(rates[1][-20:]) == {0.0}


def test_nothing_is_known_of_an_empty_one():
    history = History(3)
    assert history.lately(5)[0] == 0
    assert not history.lately(5)[1].any()
    assert np.isnan(history.rates(5, [0])).all()
