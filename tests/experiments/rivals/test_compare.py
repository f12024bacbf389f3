"""Rivals trained with seeds, kept in a folder, and gone on with."""

from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from offramp.data import Dataset, load
from offramp.errors import ConfigError
from offramp.experiments import PaperRow, recipe_named
from offramp.experiments.rivals import METHODS, Rival, compare, contenders
from offramp.train import Recipe, evaluate


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture
def recipe() -> Recipe:
    return replace(recipe_named("cosine"), epochs=6, batch_size=32, learning_rate=0.01)


def _runs(row: PaperRow, recipe: Recipe, digits: Dataset, folder: Path, *, n_seeds: int = 1) -> list[Rival]:
    return list(compare([row], range(n_seeds), recipe, digits, folder, workers=1, progress=False))


def _story(runs: list[Rival]) -> list[tuple[object, ...]]:
    """All of the runs but the time."""
    return [
        (run.method, run.seed, run.parameters, run.edges, run.accuracy_percent, run.training_macs)
        for run in runs
    ]


def test_every_method_is_trained_and_has_the_edges_it_was_given(
    row: PaperRow, recipe: Recipe, digits: Dataset, tmp_path: Path
) -> None:
    runs = _runs(row, recipe, digits, tmp_path, n_seeds=2)
    assert [(run.method, run.seed) for run in runs] == [(name, seed) for seed in (0, 1) for name in METHODS]
    for run, one in zip(runs, contenders(row) * 2, strict=True):
        assert (run.edges, run.parameters) == (one.n_edges, one.parameters)
        assert run.fused == (one.kind != "baseline")
        assert run.accuracy_percent > 70, run
    alike = [run for run in runs if run.neurons == row.neurons]
    assert {run.edges for run in alike} == {(320, 160, 400)}
    assert len({run.accuracy_percent for run in alike}) > 4
    assert not list(tmp_path.rglob("checkpoint.safetensors"))


def test_the_same_seed_gives_the_same_record(
    row: PaperRow, recipe: Recipe, digits: Dataset, tmp_path: Path
) -> None:
    first, second = (_runs(row, recipe, digits, tmp_path / name) for name in ("a", "b"))
    assert _story(first) == _story(second)


def test_interrupted_it_goes_on_and_trains_nothing_twice(
    row: PaperRow, recipe: Recipe, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _runs(row, recipe, digits, tmp_path / "whole")
    half = tmp_path / "half"
    with closing(compare([row], range(1), recipe, digits, half, workers=1, progress=False)) as runs:
        assert len(list(islice(runs, 6))) == 6
    trained: list[str] = []
    real = compare.__globals__["run_each"]

    def counting(works, *args, **options):  # type: ignore[no-untyped-def]
        trained.extend(work.name for work in works)
        return real(works, *args, **options)

    monkeypatch.setitem(compare.__globals__, "run_each", counting)
    assert _story(_runs(row, recipe, digits, half)) == _story(whole)
    assert trained == [f"row03-cosine-{name}-seed0" for name in list(METHODS)[6:]]
    assert _story(_runs(row, recipe, digits, half)) == _story(whole)
    assert len(trained) == len(METHODS) - 6


def test_accuracy_is_that_of_the_test_split_read_once_for_each_network(
    row: PaperRow, recipe: Recipe, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def counting(model, x, y):  # type: ignore[no-untyped-def]
        seen.append(len(x))
        return evaluate(model, x, y)

    monkeypatch.setitem(compare.__globals__, "evaluate", counting)
    _runs(row, recipe, digits, tmp_path)
    assert seen == [len(digits.splits["test"])] * len(METHODS)


def test_runs_in_workers_are_those_of_this_process(
    row: PaperRow, recipe: Recipe, digits: Dataset, tmp_path: Path
) -> None:
    short = replace(recipe, epochs=2)
    runs = compare([row], range(1), short, digits, tmp_path / "two", workers=2, progress=False)
    with closing(runs):
        there = {run.method: run.accuracy_percent for run in runs}
    assert there == {run.method: run.accuracy_percent for run in _runs(row, short, digits, tmp_path / "one")}


def test_records_of_another_recipe_and_data_of_other_classes_are_refused(
    row: PaperRow, recipe: Recipe, digits: Dataset, tmp_path: Path
) -> None:
    short = replace(recipe, epochs=1)
    with closing(compare([row], range(1), short, digits, tmp_path, workers=1, progress=False)) as runs:
        next(runs)
    with pytest.raises(ConfigError, match=r"is of a run with another recipe.*give another output folder"):
        _runs(row, recipe, digits, tmp_path)
    other = replace(row, neurons=(64, 40, 40, 20), out_degrees=(5, 4, 20))
    with pytest.raises(ConfigError, match="digits has 10 classes, the rows 20"):
        _runs(other, recipe, digits, tmp_path / "other")
