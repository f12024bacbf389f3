import numpy as np
import pytest

from offramp.exits.guarantee import Outcomes
from offramp.experiments.certificates import Judged, Study
from offramp.experiments.certificates.peer import has_peer
from offramp.experiments.certificates.study import beside, rows_of
from offramp.experiments.certificates.trials import Thresholds, all_thresholds
from offramp.experiments.certificates.ways import Way, all_ways, peer_pairs

N, N_TRIALS, CONFIDENCE = 3000, 3, 0.9


@pytest.fixture(scope="session")
def population() -> Outcomes:
    """An exit that is right more often the surer it is."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 5000)
    confidence = rng.random((1, 5000)) ** 0.2
    exit_wrong = rng.random(5000) < 0.6 * (1 - confidence[0]) ** 1.5
    tail_wrong = rng.random(5000) < 0.005 + 0.1 * exit_wrong
    return Outcomes(
        confidence,
        np.where(exit_wrong, (labels + 1) % 10, labels)[None, :],
        np.where(tail_wrong, (labels + 1) % 10, labels),
        labels,
        np.array([True]),
    )


@pytest.fixture(scope="session")
def ways() -> tuple[Way, ...]:
    """All of them, the peer's too where it is installed."""
    return all_ways() + tuple(peer for peer, _ in (peer_pairs() if has_peer() else ()))


@pytest.fixture(scope="session")
def thresholds(population: Outcomes, ways: tuple[Way, ...]) -> Thresholds:
    """(N_TRIALS, n_ways)."""
    return all_thresholds(
        population, ways, n=N, n_trials=N_TRIALS, confidence=CONFIDENCE, seed=0, workers=1, progress=False
    )


@pytest.fixture(scope="session")
def study(population: Outcomes, ways: tuple[Way, ...], thresholds: Thresholds) -> Study:
    """As if a network had been trained."""
    record = {"data": "made", "neurons": [5, 4, 3], "recipe": {"epochs": 7}, "training_s": 1.0}
    rows = rows_of(population, ways, thresholds, confidence=CONFIDENCE)
    n_ours = len(all_ways())
    sides = []
    for at, (_, ours) in enumerate(peer_pairs() if has_peer() else (), start=n_ours):
        here = ways.index(ours)
        sides.append(beside(rows[at], rows[here], thresholds[:, at], thresholds[:, here]))
    return Study(
        rows=tuple(rows[:n_ours]),
        peers=tuple(sides),
        judged=Judged(population, 123, record),
        n=N,
        confidence=CONFIDENCE,
        seed=0,
        command="offramp certify",
        seconds=1.5,
        environment={"offramp": "0"},
    )
