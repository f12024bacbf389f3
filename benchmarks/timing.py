"""Ours and its peers, timed in turn: what holds on a noisy machine is the ratio of neighbours."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Work = Callable[[], Any]


@dataclass(frozen=True)
class Ratio:
    """The peer's time over ours, pair by pair, and the median time of each."""

    median: float
    min: float
    max: float
    ours_s: float
    peer_s: float
    n_pairs: int


def interleaved(
    ours: Work,
    peers: Mapping[str, Work],
    *,
    pairs: tuple[int, int] = (5, 21),
    budget_s: float = 1.0,
    at_least_s: float = 5e-3,
) -> dict[str, Ratio]:
    """The ratio to each peer, from rounds in which every peer runs right after a run of ours.

    Before each measurement its work runs once untimed: so both find in the caches what they leave there
    themselves, and memory that the process was given already, whoever ran before.

    Args:
        pairs: the fewest and the most measurements of a peer; a slow one gets as many as `budget_s` allows.
        at_least_s: a measurement repeats its work until it is longer than the clock's noise.
    """
    repeats = {name: _repeats(work, at_least_s) for name, work in peers.items()}
    n_ours = _repeats(ours, at_least_s)
    n_pairs = {
        name: min(pairs[1], max(pairs[0], int(budget_s / (_seconds(peers[name], n) * (n + 1) + at_least_s))))
        for name, n in repeats.items()
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for number in range(max(n_pairs.values(), default=0)):
        for name, work in peers.items():
            if number < n_pairs[name]:
                times[name].append((_seconds(ours, n_ours), _seconds(work, repeats[name])))
    return {name: _ratio(pairs_of) for name, pairs_of in times.items()}


def _ratio(times: list[tuple[float, float]]) -> Ratio:
    ratios = [peer / ours for ours, peer in times]
    return Ratio(
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        statistics.median(ours for ours, _ in times),
        statistics.median(peer for _, peer in times),
        len(times),
    )


def _seconds(work: Work, repeats: int) -> float:
    work()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def _repeats(work: Work, at_least_s: float) -> int:
    return max(1, round(at_least_s / max(_seconds(work, 1), 1e-9)))
