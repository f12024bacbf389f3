"""Powers and logarithms of two in integers, at every point, or at many of every octave."""

import numpy as np

from offramp.int8.powers import FRACTION, ONE, exp2, log2


def test_exp2_is_as_near_as_it_says_and_never_rises():
    x = np.arange(40 << FRACTION)
    truth = ONE * 2.0 ** (-x / (1 << FRACTION))
    error = np.abs(exp2(x) - truth)
    assert (error <= 2e-4 * truth + 1).all()
    assert (error[: 1 << FRACTION] <= 2e-4 * truth[: 1 << FRACTION]).all()
    assert (np.diff(exp2(x)) <= 0).all()
    assert exp2(np.array([0, 1 << FRACTION, 17 << FRACTION, 2**20 - 1])).tolist() == [ONE, ONE // 2, 0, 0]


def test_log2_is_as_near_as_it_says_and_never_falls():
    rng = np.random.default_rng(0)
    octaves = [rng.integers(1 << t, 2 << t, 5000) for t in range(16, 32)]
    x = np.unique(np.concatenate([np.arange(ONE, 2 * ONE), *octaves, 2 ** np.arange(17, 33) - 1]))
    error = log2(x) / (1 << FRACTION) - np.log2(x / ONE)
    assert -7e-4 < error.min() < -6e-4  # what is dropped is never given back
    assert error.max() < 2e-4
    assert (np.diff(log2(x)) >= 0).all()
    assert log2(1 << np.arange(16, 32)).tolist() == [t << FRACTION for t in range(16)]
