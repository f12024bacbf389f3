import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.runtime.fleet.quantile import percentiles
from offramp.wire import LATENCY_BOUNDS_S

latencies = st.lists(st.floats(1e-6, 9.9), min_size=1, max_size=300)


def counted(values, bounds):
    return np.bincount(np.searchsorted(bounds, values), minlength=len(bounds) + 1)


@given(latencies)
def test_a_percentile_lies_in_the_bucket_of_the_true_one(values):
    found = percentiles(LATENCY_BOUNDS_S, counted(values, LATENCY_BOUNDS_S))
    for q, value in ((0.5, found.p50), (0.95, found.p95), (0.99, found.p99)):
        true = np.quantile(values, q, method="inverted_cdf")
        bucket = int(np.searchsorted(LATENCY_BOUNDS_S, true))
        low = LATENCY_BOUNDS_S[bucket - 1] if bucket else 0
        assert low <= value <= LATENCY_BOUNDS_S[bucket] * (1 + 1e-12)
    assert found.p50 <= found.p95 <= found.p99


def test_between_two_bounds_it_is_as_prometheus_says():
    found = percentiles((1.0, 2.0, 4.0), [0, 10, 10, 0])  # histogram_quantile of the same buckets
    assert found.p50 == pytest.approx(2)
    assert found.p95 == pytest.approx(3.8)
    assert percentiles((1.0, 2.0), [4, 0, 0]).p50 == pytest.approx(0.5)


def test_beyond_the_last_bound_it_is_that():
    assert percentiles((1.0, 2.0), [0, 0, 7]).p50 == 2


def test_of_nothing_there_is_none():
    assert percentiles((1.0, 2.0), [0, 0, 0]) is None
