"""Found networks trained again: with whom, on what, and never twice."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offramp.data import Dataset, load, preprocessing_for
from offramp.errors import ConfigError
from offramp.experiments.searched import FoundRun, Network, train_found
from offramp.train import RECIPES, Recipe, Trainers, evaluate, fit, teacher, train_teacher

PLAIN = Network((64, 20, 10), (5, 10), (2, 2))
POOLED = Network((16, 20, 10), (5, 10), (4, 4), pooling=2)
TAUGHT = dataclasses.replace(POOLED, distill_weight=0.9, temperature=3.0)
RECIPE = dataclasses.replace(RECIPES["cosine"], epochs=2, batch_size=64, train_on_everything=True)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher, "TEACHER_HIDDEN", (24,))
    monkeypatch.setattr(teacher, "TEACHER_EPOCHS", 3)


def _trained(networks: Any, seeds: Any, digits: Dataset, folder: Path) -> Iterator[FoundRun]:
    return train_found(networks, seeds, RECIPE, digits, folder, workers=1, progress=False)


def _by_hand(network: Network, seed: int, digits: Dataset, recipe: Recipe) -> float:
    distillation = None
    if network.distill_weight:
        wise, _ = train_teacher(digits, recipe, seed=seed, progress=False)
        settings = {"weight": network.distill_weight, "temperature": network.temperature}
        distillation = wise.distillation(digits, recipe, **settings)
    model = network.model(seed=seed)
    preprocessing = preprocessing_for(digits, pool=network.pooling, pad_to=network.neurons[0])
    fit(model, digits, recipe, preprocessing=preprocessing, seed=seed, distillation=distillation)
    x, y = digits.split("test")
    return round(100 * evaluate(model, preprocessing(x), y).tail, 4)


def test_every_network_is_trained_with_every_seed_as_it_was_found(digits: Dataset, tmp_path: Path) -> None:
    runs = list(_trained([PLAIN, TAUGHT, PLAIN], range(2), digits, tmp_path))
    assert sorted((run.network.name, run.seed) for run in runs) == sorted(
        (network.name, seed) for network in (PLAIN, TAUGHT) for seed in range(2)
    )
    for run in runs:
        assert run.network in (PLAIN, TAUGHT)
        assert run.parameters == run.network.parameters
        assert run.recipe["train_on_everything"]
        assert run.accuracy_percent == _by_hand(run.network, run.seed, digits, RECIPE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "teachers"]


def test_teachers_see_what_students_see_and_nothing_else(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Any] = []
    fit_each = Trainers.fit_each

    def watched(trainers: Trainers, asked: Any, **settings: Any) -> Any:
        jobs.extend(asked)
        return fit_each(trainers, asked, **settings)

    monkeypatch.setattr(Trainers, "fit_each", watched)
    list(_trained([PLAIN, TAUGHT], [3], digits, tmp_path))
    wise, *students = jobs
    assert (wise.name, wise.seed, wise.recipe.splits) == ("teacher of seed 3", 3, RECIPE.splits)
    n = sum(len(digits.splits[name]) for name in RECIPE.splits)
    taught = {job.name: job.distillation for job in students}
    assert [None if one is None else one.scores.shape for one in taught.values()] == [None, (n, 10)]


def test_without_students_there_is_no_teacher(digits: Dataset, tmp_path: Path) -> None:
    list(_trained([PLAIN], [0], digits, tmp_path))
    assert not (tmp_path / "teachers").exists()


def test_an_interrupted_call_goes_on_and_a_finished_one_trains_nothing(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = [PLAIN, POOLED, TAUGHT]
    runs = _trained(networks, range(2), digits, tmp_path)
    first = [next(runs) for _ in range(2)]
    runs.close()  # type: ignore[attr-defined]
    assert len(list((tmp_path / "runs").iterdir())) == 2
    every = list(_trained(networks, range(2), digits, tmp_path))
    assert len(every) == 6
    assert all(run in every for run in first)
    monkeypatch.setattr(Trainers, "fit_each", lambda *_, **__: pytest.fail("trained again"))
    again = list(_trained(networks, range(2), digits, tmp_path))
    assert sorted(again, key=repr) == sorted(every, key=repr)


def test_records_of_another_recipe_are_refused(digits: Dataset, tmp_path: Path) -> None:
    list(_trained([PLAIN], [0], digits, tmp_path))
    other = dataclasses.replace(RECIPE, epochs=3)
    with pytest.raises(ConfigError, match="is of a run with another recipe than"):
        list(train_found([PLAIN], [0], other, digits, tmp_path, workers=1, progress=False))
