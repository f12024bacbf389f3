import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.exits import DriftWatch, Profile, profile_of
from offramp.exits.drift import N_BETS, bets


def confident(rng, n):
    """Confidences as an exit has them: most near 1, a tenth exactly 1."""
    return np.where(rng.random(n) < 0.1, 1.0, rng.beta(6, 1, size=n))


def first_alarm(watch, draw, at_most):
    """The number of samples until the alarm, or `at_most`."""
    for n, confidence in enumerate(draw(at_most).tolist(), 1):
        if watch.see(confidence):
            return n
    return at_most


def test_every_bet_is_fair_and_never_loses_more_than_it_has():
    factors = np.array([bets(p) for p in (np.arange(10_000) + 0.5) / 10_000])
    np.testing.assert_allclose(factors.mean(axis=0), 1, atol=1e-6)
    ends = np.array([bets(0.0), bets(1.0)])
    assert factors.shape[1] == N_BETS
    assert (factors >= 0).all()
    assert (ends >= 0).all()


@pytest.mark.parametrize("n_calibration", [4, 40, 1000])
def test_without_drift_alarms_are_at_least_as_rare_as_asked(n_calibration):
    asked, lengths = 60, []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        watch = DriftWatch(profile_of(confident(rng, n_calibration)), false_alarm_every=asked, rng=rng)
        lengths.append(first_alarm(watch, lambda n, rng=rng: confident(rng, n), 20 * asked))
    error = np.std(lengths) / np.sqrt(len(lengths))
    # Below it only by chance, and not wastefully above.
    assert asked - 2 * error < np.mean(lengths) < 1.5 * asked


def test_after_a_reset_alarms_are_as_rare_as_before():
    asked, lengths = 40, []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        watch = DriftWatch(profile_of(confident(rng, 20)), false_alarm_every=asked, rng=rng)
        first_alarm(watch, lambda n, rng=rng: confident(rng, n), 20 * asked)
        watch.reset()
        lengths.append(first_alarm(watch, lambda n, rng=rng: confident(rng, n), 20 * asked))
    error = np.std(lengths) / np.sqrt(len(lengths))
    assert np.mean(lengths) > asked - 2 * error


def test_without_drift_the_statistic_grows_by_one_a_sample():
    grown = []
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        watch = DriftWatch(profile_of(confident(rng, 8)), false_alarm_every=10**9, rng=rng)
        first_alarm(watch, lambda n, rng=rng: confident(rng, n), 10)
        grown.append(watch.statistic)
    assert np.mean(grown) == pytest.approx(10, abs=3 * np.std(grown) / np.sqrt(1500))


SHIFTS = {
    "less sure": lambda rng, n: confident(rng, n) ** 2,
    "surer": lambda rng, n: confident(rng, n) ** 0.4,
    "more at both ends": lambda rng, n: np.where(rng.random(n) < 0.5, 1.0, 0.5),
    "more in the middle": lambda rng, n: np.clip(rng.normal(0.9, 0.02, n), 0, 1),
    "a new class": lambda rng, n: np.where(rng.random(n) < 0.15, 0.3, confident(rng, n)),
    "no verdict": lambda rng, n: np.full(n, np.nan),
    "stuck": lambda rng, n: np.full(n, 0.97),
}


@pytest.mark.parametrize("shift", SHIFTS)
def test_drift_is_noticed_within_a_few_hundred_samples(shift):
    delays = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        watch = DriftWatch(profile_of(confident(rng, 2000)), false_alarm_every=100_000, rng=rng)
        assert first_alarm(watch, lambda n, rng=rng: confident(rng, n), 500) == 500
        delays.append(first_alarm(watch, lambda n, rng=rng: SHIFTS[shift](rng, n), 2000))
    assert np.mean(delays) < 300


@given(seen=st.lists(st.floats(0, 1) | st.just(np.nan), max_size=40), seed=st.integers(0, 99))
def test_the_same_samples_and_seed_give_the_same_statistic(seen, seed):
    profile = Profile((0, 0.3, 0.6, 1), (2, 3, 5))
    one, two = (DriftWatch(profile, false_alarm_every=500, rng=np.random.default_rng(seed)) for _ in range(2))
    assert [one.see(c) for c in seen] == [two.see(c) for c in seen]
    assert one.statistic == two.statistic
    assert one.n_seen == len(seen)
    assert sum(one.counts) == 10 + len(seen)


def test_samples_fall_into_the_bins_of_the_profile_and_nan_into_the_lowest():
    watch = DriftWatch(Profile((0, 0.25, 0.5, 1), (0, 0, 1)), false_alarm_every=10**6)
    for confidence in (np.nan, 0.0, 0.25, np.float64(0.3), 0.5, 1.0):
        watch.see(confidence)
    assert watch.counts == (2, 2, 3)


def test_an_alarm_is_raised_once_and_a_reset_starts_anew():
    rng = np.random.default_rng(0)
    watch = DriftWatch(profile_of(confident(rng, 1000)), false_alarm_every=1000)
    raised = [watch.see(0.1) for _ in range(200)]
    assert sum(raised) == watch.n_alarms == 1
    assert watch.alarmed
    assert watch.statistic >= 1000
    assert watch.n_seen == 200
    watch.reset()
    assert not watch.alarmed
    assert watch.statistic == 0
    assert sum(watch.counts) == 1000


def test_a_watch_needs_a_rate_of_false_alarms():
    with pytest.raises(ConfigError, match="false_alarm_every=0; use a number of samples, 1 or more"):
        DriftWatch(Profile((0, 1), (1,)), false_alarm_every=0)
