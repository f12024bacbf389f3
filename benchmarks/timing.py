"""Two pieces of work, timed in turn: what holds on a noisy machine is the ratio of neighbours."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """The peer's time over ours, pair by pair, and our own median time."""

    median: float
    min: float
    max: float
    ours_s: float
    peer_s: float


def interleaved(ours: Work, peer: Work, *, pairs: int = 21, at_least_s: float = 2e-3) -> Ratio:
    """Time `ours` and `peer` in turn, each repeated until a measurement is longer than the clock's noise."""
    n_ours, n_peer = _repeats(ours, at_least_s), _repeats(peer, at_least_s)
    times = [(_seconds(ours, n_ours), _seconds(peer, n_peer)) for _ in range(pairs)]
    ratios = [b / a for a, b in times]
    return Ratio(
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
    )


def _seconds(work: Work, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def _repeats(work: Work, at_least_s: float) -> int:
    work()  # warm: pages touched, threads started
    return max(1, round(at_least_s / max(_seconds(work, 1), 1e-9)))
