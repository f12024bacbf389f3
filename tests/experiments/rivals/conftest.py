import numpy as np
import pytest

from offramp.experiments import PaperRow, paper, recipe_named, select_rows
from offramp.experiments.rivals import Comparison, Contender, Rival, contenders

SMALL = (
    PaperRow(1, 1, "deep", (64, 9, 9, 10), (9, 9, 10), 90.0, 785),
    PaperRow(2, 1, "shallow", (64, 10, 10), (10, 10), 90.0, 760),
    PaperRow(3, 1, "sparse", (64, 40, 40, 10), (5, 4, 10), 90.0, 970),
)
# Points that a method is better than the row by in the made comparison.
BETTER = {"block": 0.3, "pruned": 0.9, "rigl": 0.5, "deep": -3.0, "shallow": -3.0, "pooled_sparse": 1.2}


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> PaperRow:
    """A sparse row for digits; its dense ones are in the tables."""
    monkeypatch.setattr(paper, "PAPER_ROWS", SMALL)
    return SMALL[2]


def made_run(contender: Contender, seed: int, accuracy: float) -> Rival:
    """A record as training would leave it."""
    work = {"pruned": 8, "rigl": 1.1}.get(contender.method, 1)
    return Rival(
        row=contender.row.number,
        kind=contender.kind,
        method=contender.method,
        neurons=contender.neurons,
        out_degrees=contender.out_degrees,
        recipe={"name": "paper"},
        pattern=contender.pattern,
        block="x".join(map(str, contender.block or ())),
        pooling=contender.pool,
        seed=seed,
        data_digest="0",
        parameters=contender.parameters,
        edges=contender.n_edges,
        accuracy_percent=accuracy,
        train_s=5.0,
        training_macs=int(work * 10**9),
        fused=True,
    )


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """Three rows with five seeds, of which some are better for every method, as if trained."""
    rng = np.random.default_rng(0)
    rows = select_rows("3,12,30")
    shared = rng.normal(scale=0.5, size=5)
    runs = [
        made_run(
            one,
            seed,
            round(row.accuracy_percent + BETTER.get(one.method, 0) + shared[seed] + rng.normal() / 20, 2),
        )
        for row in rows
        for one in contenders(row)
        for seed in range(5)
    ]
    rng.shuffle(runs)  # type: ignore[arg-type]  # they come as they are done
    return Comparison(
        rows=rows,
        runs=tuple(runs),
        recipe=recipe_named("paper"),
        seeds=tuple(range(5)),
        command="offramp compare --rows 3,12,30 --seeds 5",
        seconds=600.0,
        environment={"python": "3.11.7"},
    )
