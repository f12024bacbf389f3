"""The study from the data set to its rows."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offramp.data import Dataset
from offramp.experiments.certificates.network import judged_network
from offramp.experiments.certificates.peer import has_peer, peer_version
from offramp.experiments.certificates.study import Study, beside, rows_of
from offramp.experiments.certificates.trials import all_thresholds
from offramp.experiments.certificates.ways import all_ways, peer_pairs


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the study besides the data.

    Args:
        n: calibration samples of a trial, a fifth of which is fitted on.
        trials: draws of a calibration set.
        confidence: 1 - delta.
        seed: of the network, its data's splits and the draws.
    """

    n: int
    trials: int
    seed: int
    confidence: float = 0.95


def study_certificates(
    dataset: Dataset,
    settings: Settings,
    folder: Path,
    *,
    command: str,
    environment: Mapping[str, Any],
    workers: int | None = None,
    progress: bool = True,
) -> Study:
    """Train a network, and certify its exit on calibration sets drawn from its predictions.

    The population is all of the predictions, and a calibration set is drawn from it with replacement: so its
    samples are independent, and the risk of a threshold is known exactly.

    Args:
        folder: for the network's checkpoint.
        workers: as in `run_each`.

    Raises:
        DataError: `n` is too small for the smallest risk; the message says how many it takes.
    """
    started = time.monotonic()
    judged = judged_network(dataset, seed=settings.seed, checkpoint=folder / "checkpoint", progress=progress)
    ways, pairs = all_ways(), peer_pairs() if has_peer() else ()
    peers = tuple(peer for peer, _ in pairs)
    thresholds = all_thresholds(
        judged.outcomes,
        ways + peers,
        n=settings.n,
        n_trials=settings.trials,
        confidence=settings.confidence,
        seed=settings.seed,
        workers=workers,
        progress=progress,
    )
    rows = rows_of(judged.outcomes, ways + peers, thresholds, confidence=settings.confidence)
    sides = []
    for index, (_, ours) in enumerate(pairs, start=len(ways)):
        at = ways.index(ours)
        sides.append(beside(rows[index], rows[at], thresholds[:, index], thresholds[:, at]))
    return Study(
        rows=tuple(rows[: len(ways)]),
        peers=tuple(sides),
        judged=judged,
        n=settings.n,
        confidence=settings.confidence,
        seed=settings.seed,
        command=command,
        seconds=time.monotonic() - started,
        environment={**environment, **peer_version()},
    )
