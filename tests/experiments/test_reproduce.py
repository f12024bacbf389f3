"""Rows trained with seeds, kept in a folder, and gone on with."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from offramp.data import Dataset, load
from offramp.errors import ConfigError, DataError
from offramp.experiments import PaperRow, Run, Settings, recipe_named, reproduce
from offramp.experiments.records import RecordFolder
from offramp.experiments.runs import histograms, runs_csv
from offramp.nn import MLP
from offramp.train import RECIPES, evaluate

ROWS = (
    PaperRow(1, 1, "deep", (64, 6, 6, 10), (6, 6, 10), 80.0, 502),
    PaperRow(3, 1, "sparse", (64, 20, 20, 10), (5, 4, 10), 85.0, 650),
)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture
def settings() -> Settings:
    return Settings(recipe=replace(recipe_named("paper"), epochs=4, batch_size=32, learning_rate=0.01))


def _runs(
    settings: Settings, digits: Dataset, folder: Path, *, rows: tuple[PaperRow, ...] = ROWS, n_seeds: int = 2
) -> list[Run]:
    return list(reproduce(rows, range(n_seeds), settings, digits, folder, workers=1, progress=False))


def test_every_row_is_trained_with_every_seed(settings: Settings, digits: Dataset, tmp_path: Path) -> None:
    runs = _runs(settings, digits, tmp_path)
    assert [(run.row, run.seed) for run in runs] == [(1, 0), (3, 0), (1, 1), (3, 1)]
    assert {run.parameters for run in runs} == {502, 650}
    assert [run.pattern for run in runs] == ["full", "random", "full", "random"]
    assert min(run.accuracy_percent for run in runs[1::2]) > 50, runs
    assert runs[1].accuracy_percent != runs[3].accuracy_percent
    assert [len(run.histograms) for run in runs] == [3, 0, 3, 0]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        f"{name}-seed{seed}.json" for name in ("row01-paper-full", "row03-paper-random") for seed in (0, 1)
    ]
    assert not list(tmp_path.rglob("checkpoint.safetensors"))


def test_what_is_done_is_not_trained_again(
    settings: Settings, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _runs(settings, digits, tmp_path)
    trained: list[list[str]] = []
    real = reproduce.__globals__["fit_each"]

    def counting(jobs, *args, **options):  # type: ignore[no-untyped-def]
        trained.append([job.name for job in jobs])
        return real(jobs, *args, **options)

    monkeypatch.setitem(reproduce.__globals__, "fit_each", counting)
    assert _runs(settings, digits, tmp_path) == first
    assert trained == []
    _runs(settings, digits, tmp_path, n_seeds=3)
    assert trained == [["row01-paper-full-seed2", "row03-paper-random-seed2"]]


def test_an_interrupted_reproduction_ends_as_if_it_were_not(
    settings: Settings, digits: Dataset, tmp_path: Path
) -> None:
    whole = _runs(settings, digits, tmp_path / "whole")
    half = tmp_path / "half"
    with closing(reproduce(ROWS, range(2), settings, digits, half, workers=1, progress=False)) as runs:
        _take_one(runs)
    assert len(list((half / "runs").iterdir())) == 1
    assert [run.accuracy_percent for run in _runs(settings, digits, half)] == [
        run.accuracy_percent for run in whole
    ]


def _take_one(runs: Iterator[Run]) -> None:
    next(runs)


def test_accuracy_is_that_of_the_test_split(
    settings: Settings, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def counting(model, x, y):  # type: ignore[no-untyped-def]
        seen.append(len(x))
        return evaluate(model, x, y)

    monkeypatch.setitem(reproduce.__globals__, "evaluate", counting)
    _runs(settings, digits, tmp_path, rows=ROWS[1:])
    assert seen == [len(digits.splits["test"])] * 2


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_on_all_but_the_test_split(name: str) -> None:
    assert recipe_named(name).train_on_everything


def test_block_patterns_take_the_largest_block_that_fits(
    settings: Settings, digits: Dataset, tmp_path: Path
) -> None:
    blocks = replace(settings, pattern="block", block=None)
    assert [run.block for run in _runs(blocks, digits, tmp_path, n_seeds=1)] == ["", "4x4"]
    first, *_ = replace(blocks, block=(4, 5)).model(ROWS[1], 0)
    assert first.pattern.block == (4, 5)  # out-degree 5, in-degree 16


def test_dense_runs_serve_every_pattern(settings: Settings, digits: Dataset, tmp_path: Path) -> None:
    _runs(settings, digits, tmp_path)
    _runs(replace(settings, pattern="affine"), digits, tmp_path)
    assert len(list((tmp_path / "runs").iterdir())) == 6


def test_records_of_another_recipe_are_refused(settings: Settings, digits: Dataset, tmp_path: Path) -> None:
    _runs(settings, digits, tmp_path, n_seeds=1)
    longer = replace(settings, recipe=replace(settings.recipe, epochs=5))
    with pytest.raises(ConfigError, match=r"is of a run with another recipe.*give another output folder"):
        _runs(longer, digits, tmp_path, n_seeds=1)


def test_a_damaged_record_is_named(settings: Settings, digits: Dataset, tmp_path: Path) -> None:
    _runs(settings, digits, tmp_path, n_seeds=1, rows=ROWS[:1])
    path = tmp_path / "runs" / "row01-paper-full-seed0.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DataError, match=r"row01-paper-full-seed0.json: is no record of a run.*delete it"):
        _runs(settings, digits, tmp_path, n_seeds=1)


def test_patterns_and_recipes_that_cannot_be_are_refused(settings: Settings) -> None:
    for pattern in ("full", "tartan"):
        with pytest.raises(ConfigError, match=f"'{pattern}' is none for sparse rows; use one of random"):
            replace(settings, pattern=pattern)
    with pytest.raises(ConfigError, match="recipe 'cake' is unknown; use paper or cosine"):
        recipe_named("cake")


def test_a_histogram_counts_every_weight() -> None:
    torch.manual_seed(0)
    found = histograms(MLP([64, 6, 10]))
    assert [sum(one.counts) for one in found] == [64 * 6, 6 * 10]
    assert len({one.limit for one in found}) == 1
    assert all(0 < one.near_zero < 1 for one in found)


def test_the_csv_has_a_line_for_each_run(settings: Settings, digits: Dataset, tmp_path: Path) -> None:
    runs = _runs(settings, digits, tmp_path, n_seeds=1)
    head, dense, sparse, end = runs_csv(runs, {row.number: row for row in ROWS}).split("\n")
    assert head == (
        "table,type,neurons,out_degrees,recipe,pattern,block,seed,parameters,accuracy_percent,train_s"
    )
    assert dense.startswith("1,deep,64 6 6 10,6 6 10,paper,full,,0,502,")
    assert sparse.startswith("1,sparse,64 20 20 10,5 4 10,paper,random,,0,650,")
    assert end == ""
    record = json.loads((tmp_path / "runs" / "row03-paper-random-seed0.json").read_text())
    assert f",{record['accuracy_percent']:.2f}," in sparse
    assert RecordFolder(tmp_path / "runs", Run).read("nothing", {}) is None
