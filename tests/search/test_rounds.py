"""The whole search on tiny images."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from offramp.data import Dataset, preprocessing_for
from offramp.errors import ConfigError, DataError
from offramp.search import Budget, Candidate, Found, Settings, Standing, search
from offramp.train import Teacher, Trainers, teacher

FEW = Settings(distill_weights=(0.0,), n_trials=5, epochs=(1, 2, 3), n_new=3, batch_size=32, workers=1)
SMALL = Budget(max_params=700)


def _outcome(found: Found) -> list[Any]:
    return [
        (entry.trial, entry.candidate, [(t.epochs, t.accuracy) for t in entry.trainings.values()])
        for entry in found.entries
    ]


@pytest.mark.parametrize(
    "budget",
    [SMALL, Budget(max_bytes=2500), Budget(max_macs=400), Budget(max_params=700, max_macs=500)],
    ids=["parameters", "bytes", "MACs", "two limits"],
)
def test_only_networks_within_the_budget_are_trained(
    images: Dataset, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    fit_each = Trainers.fit_each

    def watched(trainers: Trainers, jobs: Any, **settings: Any) -> Any:
        sizes.extend(sum(p.numel() for p in job.model.parameters()) for job in jobs)
        return fit_each(trainers, jobs, **settings)

    monkeypatch.setattr(Trainers, "fit_each", watched)
    found = search(images, budget, FEW)
    assert len(found.entries) == 5
    assert all(budget.allows(entry.candidate) for entry in found.entries)
    assert len(sizes) == sum(len(entry.trainings) for entry in found.entries)
    if budget.max_params is not None:
        assert max(sizes) <= budget.max_params


def test_the_best_third_of_a_rung_goes_up(images: Dataset) -> None:
    found = search(images, SMALL, replace(FEW, n_trials=9, n_new=9))
    rungs = {epochs: sum(epochs in entry.trainings for entry in found.entries) for epochs in (1, 2, 3)}
    assert rungs == {1: 9, 2: 3, 3: 1}
    assert [entry.last.epochs for entry in found.front] == [3]
    assert found.n_validation == 60


def test_the_test_images_change_nothing(images: Dataset) -> None:
    x = images.x.copy()
    x[images.splits["test"]] = 255
    other = type(images)(images.name, x, images.y, images.classes, images.splits)
    assert _outcome(search(images, SMALL, FEW)) == _outcome(search(other, SMALL, FEW))


def test_a_seed_decides_a_search_and_another_another(images: Dataset) -> None:
    first = _outcome(search(images, SMALL, FEW))
    assert _outcome(search(images, SMALL, FEW)) == first
    assert _outcome(search(images, SMALL, replace(FEW, seed=1))) != first


def test_an_interrupted_search_goes_on_without_training_anything_twice(
    images: Dataset, tmp_path: Path
) -> None:
    def interrupt(standing: Standing) -> None:
        if standing.n_trainings == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(images, SMALL, FEW, folder=tmp_path, watch=interrupt)
    before = (tmp_path / "trainings.jsonl").read_text().splitlines()
    assert len(before) == 2
    found = search(images, SMALL, FEW, folder=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "trainings.jsonl").read_text().splitlines()]
    assert lines[:2] == [json.loads(line) for line in before]
    assert len({(line["trial"], line["epochs"]) for line in lines}) == len(lines)
    # The first round's candidates are those of a search that nobody interrupted.
    whole = search(images, SMALL, FEW)
    assert [entry.candidate for entry in found.entries] == [entry.candidate for entry in whole.entries]
    assert len(found.entries) == 5


def test_a_finished_search_trains_nothing_and_a_longer_one_goes_on(
    images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = search(images, SMALL, FEW, folder=tmp_path)
    longer = search(images, SMALL, replace(FEW, n_trials=6), folder=tmp_path)
    assert len(longer.entries) == 6
    assert [entry.candidate for entry in longer.entries[:5]] == [entry.candidate for entry in first.entries]
    monkeypatch.setattr(Trainers, "fit_each", lambda *_, **__: pytest.fail("trained again"))
    assert _outcome(search(images, SMALL, replace(FEW, n_trials=6), folder=tmp_path)) == _outcome(longer)


def test_a_folder_of_another_search_is_refused(images: Dataset, tmp_path: Path) -> None:
    search(images, SMALL, replace(FEW, n_trials=1), folder=tmp_path)
    with pytest.raises(ConfigError, match=r"study.journal: is of a search with seed=0, this one has 3; give"):
        search(images, SMALL, replace(FEW, n_trials=1, seed=3), folder=tmp_path)


@pytest.mark.parametrize(
    "line", ['{"trial": 99, "epochs": 1, "accuracy": 0.5, "seconds": 1}', '{"trial": 0}']
)
def test_a_training_of_another_study_is_named(images: Dataset, tmp_path: Path, line: str) -> None:
    (tmp_path / "trainings.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=r"trainings.jsonl: .* is no training of this study; give another"):
        search(images, SMALL, FEW, folder=tmp_path)


def test_when_the_time_is_over_a_search_gives_what_it_has(images: Dataset, tmp_path: Path) -> None:
    now_s, limit_s = 0.0, 10.0

    def clock() -> float:
        return now_s

    def watch(standing: Standing) -> None:
        nonlocal now_s
        assert standing.left_s == max(0, limit_s - now_s)
        now_s += 4.0

    endless = replace(FEW, n_trials=None, time_limit_s=limit_s)
    found = search(images, SMALL, endless, folder=tmp_path, watch=watch, clock=clock)
    assert sum(len(entry.trainings) for entry in found.entries) == 3
    assert {entry.last.epochs for entry in found.front} == {1}


def test_without_time_to_train_anything_a_search_says_so(images: Dataset) -> None:
    seconds = iter(range(100))
    with pytest.raises(ConfigError, match="the time was over before a network was trained; allow more"):
        search(images, SMALL, replace(FEW, time_limit_s=0.5), clock=lambda: next(seconds))


def test_the_smallest_network_that_reaches_the_goal_is_chosen(images: Dataset) -> None:
    found = search(images, Budget(max_params=700, min_accuracy=0.01), replace(FEW, n_trials=9, n_new=9))
    assert found.chosen is found.front[0]
    assert search(images, Budget(max_params=120, min_accuracy=1.0), FEW).chosen is None


def test_a_budget_below_the_smallest_network_is_refused(images: Dataset) -> None:
    words = "no network of this search keeps the budget: max_params=20 but 74 of the smallest, 74 param"
    with pytest.raises(ConfigError, match=words):
        search(images, Budget(max_params=20), FEW)


def test_a_space_of_few_networks_is_left_when_all_were_tried(images: Dataset) -> None:
    found = search(images, Budget(max_params=110), replace(FEW, n_trials=40, n_new=20, epochs=(1,)))
    assert 1 <= len(found.entries) < 40
    assert len({entry.candidate for entry in found.entries}) == len(found.entries)


def test_rejected_candidates_are_pruned_in_the_study(images: Dataset, tmp_path: Path) -> None:
    search(images, Budget(max_params=200), replace(FEW, n_trials=2), folder=tmp_path)
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.journal"))
    )
    states = [trial.state.name for trial in optuna.load_study(study_name=None, storage=storage).trials]
    assert states.count("COMPLETE") == 2
    assert set(states) == {"COMPLETE", "PRUNED"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": (9, 3)}, r"epochs=\(9, 3\) must be whole numbers of 1 or more, ascending"),
        ({"n_trials": None}, "a search without end; give n_trials or time_limit_s"),
        ({"time_limit_s": 0.0}, "time_limit_s=0.0 must be more than 0"),
        ({"recipe": "paper"}, "recipe='paper' cannot be searched with"),
        ({"distill_weights": (0.5, 2.0)}, r"distill_weights=\(0.5, 2.0\) must be different shares in 0..1"),
        ({"distill_weights": ()}, r"distill_weights=\(\) must be different shares in 0..1, one or more"),
    ],
    ids=["epochs", "endless", "no time", "recipe", "weights", "no weights"],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(FEW, **changes)


# --- Learning from a teacher ------------------------------------------------------------------------------

TAUGHT = replace(FEW, distill_weights=(0.0, 0.5, 0.9), n_trials=12, n_new=6, epochs=(1, 2))


@pytest.fixture
def quick_teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher, "TEACHER_HIDDEN", (24,))
    monkeypatch.setattr(teacher, "TEACHER_EPOCHS", 4)


def test_learning_from_a_teacher_is_drawn_and_done(
    images: Dataset, monkeypatch: pytest.MonkeyPatch, quick_teacher: None
) -> None:
    taught = {}
    fit_each = Trainers.fit_each

    def watched(trainers: Trainers, jobs: Any, **settings: Any) -> Any:
        taught.update({job.name: job.distillation for job in jobs})
        return fit_each(trainers, jobs, **settings)

    monkeypatch.setattr(Trainers, "fit_each", watched)
    found = search(images, SMALL, TAUGHT)
    weights = {entry.trial: entry.candidate.distill_weight for entry in found.entries}
    assert set(weights.values()) == {0.0, 0.5, 0.9}
    for name, distillation in taught.items():
        weight = weights[int(name.partition("-")[0])]
        assert (0.0 if distillation is None else distillation.weight) == weight
        assert distillation is None or distillation.temperature == 4.0
        assert distillation is None or distillation.scores.shape == (200, 10)


def test_a_search_trains_one_teacher_and_keeps_it(
    images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_teacher: None
) -> None:
    first = search(images, SMALL, TAUGHT, folder=tmp_path)
    before = (tmp_path / "teacher" / "checkpoint.safetensors").stat().st_mtime_ns
    longer = search(images, SMALL, replace(TAUGHT, n_trials=18), folder=tmp_path)
    assert (tmp_path / "teacher" / "checkpoint.safetensors").stat().st_mtime_ns == before
    assert [entry.candidate for entry in longer.entries[:12]] == [entry.candidate for entry in first.entries]
    assert _outcome(search(images, SMALL, TAUGHT)) == _outcome(first)


def test_a_teacher_that_is_given_is_the_one_that_teaches(
    images: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.search.teaching.train_teacher", lambda *_, **__: pytest.fail("another one"))
    given = Teacher(Candidate((64, 16, 10), (16, 10)).model(seed=0), preprocessing_for(images))
    search(images, SMALL, TAUGHT, teacher=given, folder=tmp_path)
    assert not (tmp_path / "teacher").exists()
    other = Teacher(Candidate((64, 8, 10), (8, 10)).model(seed=0), preprocessing_for(images))
    with pytest.raises(ConfigError, match=r"is of a search with teacher=[0-9a-f]+, this one has [0-9a-f]+;"):
        search(images, SMALL, TAUGHT, teacher=other, folder=tmp_path)


@pytest.mark.parametrize(("first", "then"), [(FEW, TAUGHT), (TAUGHT, FEW)], ids=["with", "without"])
def test_a_search_does_not_go_on_with_or_without_a_teacher(
    images: Dataset, tmp_path: Path, quick_teacher: None, first: Settings, then: Settings
) -> None:
    search(images, SMALL, replace(first, n_trials=1, epochs=(1,)), folder=tmp_path)
    with pytest.raises(ConfigError, match="is of a search with distill_weights="):
        search(images, SMALL, replace(then, n_trials=1, epochs=(1,)), folder=tmp_path)


def test_without_learning_from_a_teacher_none_is_trained(
    images: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.search.teaching.train_teacher", lambda *_, **__: pytest.fail("trained"))
    found = search(images, SMALL, FEW)
    assert {entry.candidate.distill_weight for entry in found.entries} == {0.0}
