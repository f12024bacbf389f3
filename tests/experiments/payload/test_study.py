"""The whole study on digits, and what it does not do twice."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from offramp.bundle import read
from offramp.data import load
from offramp.errors import ConfigError
from offramp.experiments.payload import PayloadNetwork, Plan, Pledge, Studied, study
from offramp.experiments.payload import training as trainings
from offramp.system.lesson import Lesson
from offramp.train import teacher

LOAD = partial(load, "digits")


def _plan(*networks: PayloadNetwork, n_seeds: int = 1) -> Plan:
    return Plan(networks=networks, seeds=tuple(range(n_seeds)), pledge=Pledge(risk=0.2), least_fitted=20)


def _study(plan: Plan, folder: Path) -> tuple[list[Studied], list[str]]:
    told: list[str] = []
    return study(plan, LOAD, folder, workers=1, progress=False, tell=told.append), told


def test_what_was_trained_is_found_again_and_gives_the_same(
    small: PayloadNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small.with_epochs(3)
    first, told = _study(_plan(network), tmp_path)
    assert told[0].startswith("payload-1200, seed 0: trained in ")
    assert told[-1].startswith("1,200 parameters: codec ")
    assert not (tmp_path / "checkpoints").exists()
    monkeypatch.setattr(trainings, "train_bundle", None)  # nothing is trained again
    second, _ = _study(_plan(network), tmp_path)
    assert second == first
    deployed = read(first[0].deployed)
    assert deployed.codec.name == first[0].choice.chosen.codec
    assert deployed.exit_rule.threshold == first[0].judged[0].certified.threshold
    assert deployed.exit_rule.evidence["measure"] == "accuracy-drop"


def test_networks_of_one_seed_share_their_teacher(
    small: PayloadNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher, "TEACHER_EPOCHS", 1)
    taught = replace(small.with_epochs(2), lesson=Lesson())
    narrow = replace(
        taught,
        budget=900,
        design=replace(small.design, neurons=(64, 8, 16, 10), out_degrees=(4, None, None)),
    )
    found, _ = _study(_plan(taught, narrow), tmp_path)
    assert [one.network.budget for one in found] == [1200, 900]
    assert len(list((tmp_path / "teachers").iterdir())) == 1
    records = [read(folder).training["taught"] for folder in (tmp_path / "networks").iterdir()]
    assert len(records) == 2
    assert len({record["teacher"]["validation_accuracy"] for record in records}) == 1
    monkeypatch.setattr(trainings, "train_teacher", None)  # what is there is not trained again
    assert len(_study(_plan(taught.with_epochs(1)), tmp_path)[0]) == 1


def test_a_network_that_is_too_large_is_refused_before_any_training(
    small: PayloadNetwork, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"the network for 300 parameters has .* make its head smaller"):
        _study(_plan(replace(small, budget=300)), tmp_path)
    assert list(tmp_path.iterdir()) == []
