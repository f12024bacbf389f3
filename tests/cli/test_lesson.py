"""offramp train --distill: who teaches, who may, and what is remembered of it."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.bundle import read
from offramp.train import teacher

Cli = Callable[..., Any]

SMALL = ("--neurons", "auto,8,auto", "--epochs", 2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher, "TEACHER_HIDDEN", (12,))
    monkeypatch.setattr(teacher, "TEACHER_EPOCHS", 3)


@pytest.fixture
def data(tmp_path: Path) -> tuple[Any, ...]:
    """A data set that loads in no time, as options."""
    return ("--data", _table(tmp_path / "table.npz", 2))


def _table(path: Path, n_classes: int) -> Path:
    rng = np.random.default_rng(0)
    y = np.arange(400) % n_classes
    np.savez(path, x=rng.normal(size=(400, 6)).astype(np.float32) + y[:, None], y=y)
    return path


def _digests(path: Path) -> dict[str, str]:
    return {name: part.digest for name, part in read(path).parts.items()}


def test_the_default_teacher_is_trained_first_and_remembered(
    cli: Cli, data: tuple[Any, ...], tmp_path: Path
) -> None:
    path = tmp_path / "m"
    outcome = cli("train", *data, *SMALL, "--distill", "-o", path)
    assert outcome.status == 0, outcome.err
    words = r"^taught by a dense network with layers of 12, trained in [\d.]+ s, validation accurac"
    assert re.search(words, outcome.out, re.MULTILINE)
    assert "; weight 0.5, temperature 4\n" in outcome.out
    taught = read(path).training["taught"]
    assert (taught["weight"], taught["temperature"]) == (0.5, 4.0)
    assert set(taught["teacher"]) == {"hidden", "seconds", "validation_accuracy"}
    assert sorted(os.listdir(tmp_path)) == ["m", "table.npz"]  # no checkpoint is left
    assert cli("train", *data, *SMALL, "-o", tmp_path / "alone").status == 0
    assert "taught" not in read(tmp_path / "alone").training
    assert _digests(tmp_path / "alone") != _digests(path)


def test_a_bundle_may_teach(cli: Cli, data: tuple[Any, ...], tmp_path: Path) -> None:
    assert cli("train", *data, *SMALL, "-o", tmp_path / "wise").status == 0
    given = ("--distill", "--teacher", tmp_path / "wise", "--distill-weight", 0.9, "--temperature", 2)
    outcome = cli("train", *data, *SMALL, *given, "-o", tmp_path / "m", "--json")
    assert outcome.status == 0, outcome.err
    taught = json.loads(outcome.out)["taught"]
    assert (taught["weight"], taught["temperature"], taught["teacher"]["bundle"]) == (0.9, 2, "wise")
    again = cli("train", *data, *SMALL, *given, "-o", tmp_path / "n")
    assert "taught by the bundle wise; weight 0.9, temperature 2" in again.out
    assert _digests(tmp_path / "n") == _digests(tmp_path / "m")


def test_a_teacher_that_may_know_the_answers_is_refused(
    cli: Cli, data: tuple[Any, ...], tmp_path: Path
) -> None:
    for name, options in (("seed", ("--seed", 1)), ("all", ("--recipe", "paper"))):
        assert cli("train", *data, *SMALL, *options, "-o", tmp_path / name).status == 0
        taught = ("--distill", "--teacher", tmp_path / name)
        error = cli("train", *data, *SMALL, *taught, "-o", tmp_path / "m").error
        assert f"{name}: was trained on other samples than its students would be, and may know" in error
    taught = ("--distill", "--teacher", tmp_path / "all", "--recipe", "paper")
    assert cli("train", *data, *SMALL, *taught, "-o", tmp_path / "m").status == 0


def test_a_teacher_of_other_classes_is_refused(cli: Cli, data: tuple[Any, ...], tmp_path: Path) -> None:
    assert cli("train", *data, *SMALL, "-o", tmp_path / "two").status == 0
    three = ("--data", _table(tmp_path / "three.npz", 3), "--distill", "--teacher", tmp_path / "two")
    error = cli("train", *three, *SMALL, "-o", tmp_path / "m").error
    assert "two: tells 2 classes apart that are not the 3 of three; take a teacher of the same data" in error


def test_every_seed_has_a_teacher_of_its_own(cli: Cli, data: tuple[Any, ...], tmp_path: Path) -> None:
    asked = (*data, *SMALL, "--distill", "--workers", 1)
    outcome = cli("train", *asked, "--seeds", 2, "-o", tmp_path / "many")
    assert outcome.status == 0, outcome.err
    assert re.search(r"^teacher of seed 1: validation accuracy [\d.]+%$", outcome.err, re.MULTILINE)
    assert cli("train", *asked, "--seed", 1, "-o", tmp_path / "one").status == 0
    assert _digests(tmp_path / "many" / "seed1") == _digests(tmp_path / "one")
    assert sorted(os.listdir(tmp_path)) == ["many", "one", "table.npz"]  # no checkpoint is left


def test_a_config_says_it_too(cli: Cli, data: tuple[Any, ...], tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("distill = true\ndistill-weight = 0.9\ntemperature = 3\n")
    outcome = cli("train", "--config", config, *data, *SMALL, "-o", tmp_path / "m", "--json")
    assert outcome.status == 0, outcome.err
    taught = json.loads(outcome.out)["taught"]
    assert (taught["weight"], taught["temperature"]) == (0.9, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--teacher", "x"), "--teacher is for learning from a teacher; add --distill, or leave it out"),
        (("--temperature", 2), "--temperature is for learning from a teacher"),
        (("--distill-weight", 0.5), "--distill-weight is for learning from a teacher"),
        (("--distill", "--distill-weight", 0), "Invalid value for '--distill-weight'"),
        (("--distill", "--temperature", "inf"), "inf is no finite number"),
        (("--distill", "--teacher", "nowhere"), "nowhere"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_learnt_is_refused(
    cli: Cli, data: tuple[Any, ...], tmp_path: Path, options: tuple[Any, ...], words: str
) -> None:
    assert words in cli("train", *data, *SMALL, *options, "-o", tmp_path / "m").error
