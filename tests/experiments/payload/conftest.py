from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from offramp.bundle import Bundle
from offramp.codec import CODECS
from offramp.data import Dataset, load
from offramp.experiments.payload import (
    BATCHES,
    MODES,
    NETWORKS,
    Choice,
    CodecFigures,
    Judged,
    PayloadEvidence,
    PayloadNetwork,
    Plan,
    Source,
    Standing,
    Streamed,
    Studied,
    Trial,
)
from offramp.system.design import Design
from offramp.system.training import train_bundle
from offramp.train import RECIPES

BYTES = dict(zip(CODECS, (160.0, 80.0, 40.0, 20.0, 28.0, 17.0, 22.0, 11.0), strict=True))
LOST = dict(zip(CODECS, (0.0, 0.0, 0.02, 0.15, 0.02, 0.15, 0.02, 0.15), strict=True))
EXIT_RATE = {12_000: 0.94, 4_000: 0.8}
SOURCES = {name: Source(name, "unsure" if name.endswith("range") else "all") for name in CODECS}


def made_run(budget: int, seed: int, rng: np.random.Generator) -> Judged:
    """A trained network's figures; the smaller one's exit answers less, and the system loses more."""
    tail, lost = 98.3 + rng.normal() / 20, {12_000: 0.35, 4_000: 0.9}[budget] + rng.normal() / 100
    sent = 1 - EXIT_RATE[budget]

    def at(name: str, threshold: float, off: float) -> Standing:
        percent = tail - lost - LOST[name] / 10 + off
        return Standing(threshold, percent / 100, 1 - sent, sent, BYTES[name], BYTES[name] * sent)

    return Judged(
        budget=budget,
        seed=seed,
        parameters={"head": budget - 1000, "exit": 410, "tail": 154_890},
        n_sent=40,
        train_s=30.0,
        source=SOURCES["int4-range"],
        exit_percent=96.0,
        tail_percent=tail,
        coded_tail_percent=tail - 0.15,
        certified=at("int4-range", 0.9, 0.0),
        empirical=at("int4-range", 0.8, -0.1),
        certificate={"method": "ltt"},
        codecs=tuple(
            CodecFigures(
                source,
                tail - LOST[name],
                -LOST[name],
                100 * at(name, 0.9, 0).accuracy,
                BYTES[name],
                BYTES[name] + 1,
                BYTES[name] * sent,
                int(BYTES[name]),
            )
            for name, source in SOURCES.items()
        ),
        curve=tuple(
            Standing(0.9, (96 + 2 * share) / 100, 1 - share, share, 11.0, 11 * share)
            for share in (0.002, 0.05, 0.3, 1.0)
        ),
    )


@pytest.fixture(scope="session")
def evidence() -> PayloadEvidence:
    """Two budgets with five seeds, as if trained and streamed."""
    rng = np.random.default_rng(0)
    tried = tuple(Trial(source, LOST[name], BYTES[name]) for name, source in SOURCES.items())
    studied = tuple(
        Studied(
            network,
            Choice(SOURCES["int4-range"], tried, SOURCES),
            tuple(made_run(network.budget, seed, rng) for seed in range(5)),
            Path("bundle"),
        )
        for network in NETWORKS.values()
    )
    size = {"remote": 784.0, "split": 11.0, "split+exit": 0.7}
    streamed = tuple(
        Streamed(budget, mode, batch, 2000, 0.98, 0.9, size[mode], size[mode] + 300 / batch, 0)
        for budget in NETWORKS
        for mode in MODES
        for batch in BATCHES
    )
    return PayloadEvidence(
        plan=Plan(networks=tuple(NETWORKS.values()), seeds=tuple(range(5))),
        studied=studied,
        streamed=streamed,
        data="mnist",
        sample_bytes=784,
        n_of={"train": 50_000, "validation": 5_000, "calibration": 5_000, "test": 10_000},
        command="offramp payload",
        seconds=300.0,
        environment={"python": "3.11.7"},
    )


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="session")
def small() -> PayloadNetwork:
    """For digits, and trained at once."""
    return PayloadNetwork(
        budget=1200,
        design=Design(neurons=(64, 12, 32, 10), out_degrees=(6, None, None), cut=1, block=(2, 2)),
        recipe=replace(RECIPES["cosine"], epochs=12, batch_size=32),
    )


@pytest.fixture(scope="session")
def trained(small: PayloadNetwork, digits: Dataset) -> Bundle:
    bundle, _ = train_bundle("small", digits, small.design, small.recipe, progress=False)
    return bundle
