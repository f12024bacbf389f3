import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError, InputError
from offramp.exits import reliability


@given(
    samples=st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    n_bins=st.integers(1, 20),
)
def test_bins_hold_what_they_say(samples, n_bins):
    confidence, right = np.array([c for c, _ in samples]), np.array([r for _, r in samples])
    seen = reliability(confidence, right, n_bins)
    assert seen.n == len(samples)
    error = 0.0
    for i, (low, high) in enumerate(zip(seen.edges[:-1], seen.edges[1:], strict=True)):
        inside = (confidence > low) & (confidence <= high) | ((confidence == 0) & (i == 0))
        assert seen.counts[i] == inside.sum()
        if not inside.any():
            assert seen.confidence[i] is seen.accuracy[i] is None
            continue
        assert seen.confidence[i] == pytest.approx(confidence[inside].mean())
        assert seen.accuracy[i] == pytest.approx(right[inside].mean())
        error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert seen.ece == pytest.approx(error)


def test_probabilities_that_are_kept_have_almost_no_calibration_error():
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    right = rng.random(20_000) < confidence
    assert reliability(confidence, right).ece < 0.02
    assert reliability(np.sqrt(confidence), right).ece == pytest.approx(2 / 3 - 1 / 2, abs=0.01)


def test_a_diagram_can_be_written_as_json():
    json.dumps(asdict(reliability([0.2, 1.0], [True, True])), allow_nan=False)


@pytest.mark.parametrize(
    ("confidence", "right", "text"),
    [
        ([[0.5]], [True], r"confidences of shape \(1, 1\); give one number a sample"),
        ([], np.zeros(0, bool), "no calibration samples; give at least one"),
        ([np.nan], [True], "a confidence of nan; they lie in"),
        ([1.5], [True], "a confidence of 1.5; they lie in"),
        ([0.5], [1], "`right` of type int64 and shape"),
    ],
    ids=["matrix", "empty", "nan", "too-sure", "not-booleans"],
)
def test_bad_samples_are_refused(confidence, right, text):
    with pytest.raises(InputError, match=text):
        reliability(confidence, right)


def test_a_diagram_needs_bins():
    with pytest.raises(ConfigError, match="n_bins=0; use 1 or more"):
        reliability([0.5], [True], 0)
