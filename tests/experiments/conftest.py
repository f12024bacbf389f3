import numpy as np
import pytest

from offramp.experiments import PAPER_ROWS, Evidence, PaperRow, Run, Settings, gather, recipe_named
from offramp.experiments.runs import Histogram


def fake_run(row: PaperRow, seed: int, accuracy: float) -> Run:
    """A record as training would leave it."""
    counts = [0] * 40 + [row.parameters] + [0] * 40
    return Run(
        row=row.number,
        neurons=row.neurons,
        out_degrees=row.out_degrees,
        recipe={"name": "paper"},
        pattern="random" if row.is_sparse else "full",
        block="",
        seed=seed,
        data_digest="0",
        parameters=row.parameters,
        accuracy_percent=accuracy,
        train_s=5.0,
        fused=True,
        histograms=[Histogram(0.5, counts, 0.9)] * 3 if row.kind == "deep" else [],
    )


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    """All rows with five seeds, around the paper's figures; the worse a network, the wider."""
    rng = np.random.default_rng(0)
    runs = [
        fake_run(row, seed, round(row.accuracy_percent + rng.normal() * (100 - row.accuracy_percent) / 12, 2))
        for row in PAPER_ROWS
        for seed in range(5)
    ]
    return Evidence(
        rows=gather(PAPER_ROWS, runs),
        settings=Settings(recipe=recipe_named("paper")),
        seeds=tuple(range(5)),
        command="offramp reproduce",
        seconds=600.0,
        environment={"python": "3.11.7"},
    )
