import numpy as np
import pytest

from offramp.wire import LATENCY_BOUNDS_S, EdgeReport

N_BUCKETS = len(LATENCY_BOUNDS_S) + 1


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="session")
def report():
    """Makes reports of edges that answer 19 of 20 samples alone, all within 100 us."""

    def make(edge="line-1", n=100, **fields):
        n_sent = n // 20
        latency = np.zeros(N_BUCKETS, int)
        latency[8] = n
        usual = {
            "edge": edge,
            "version": "0.1.0",
            "model": "digits",
            "mode": "split+exit",
            "head_digest": "0123456789abcdef" * 4,
            "uptime_s": 1000.0,
            "n_samples": n,
            "exits": {"exit": n - n_sent},
            "n_offloaded": n_sent,
            "n_tail": n_sent,
            "n_fallbacks": 0,
            "payload_bytes": 10 * n_sent,
            "raw_bytes": 64 * n,
            "latency": tuple(latency.tolist()),
        }
        return EdgeReport(**(usual | fields))

    return make
