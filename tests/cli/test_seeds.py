"""offramp train --seeds: a bundle for each seed, and what they say together."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from offramp.bundle import read
from offramp.experiments import spread
from offramp.system import training

Cli = Callable[..., Any]

SMALL = ("--neurons", "auto,8,auto", "--epochs", 2)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A data set that loads in no time."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 400)
    x = rng.normal(size=(400, 6)).astype(np.float32) + y[:, None]
    path = tmp_path / "table.npz"
    np.savez(path, x=x, y=y)
    return path


def _digests(path: Path) -> dict[str, str]:
    return {name: part.digest for name, part in read(path).parts.items()}


def test_every_seed_gets_the_bundle_that_it_would_get_alone(cli: Cli, table: Path, tmp_path: Path) -> None:
    many, data = tmp_path / "many", ("--data", table, *SMALL)
    outcome = cli("train", *data, "-o", many, "--seed", 3, "--seeds", 3, "--workers", 1, "--json")
    assert outcome.status == 0, outcome.err
    report = json.loads(outcome.out)
    assert sorted(os.listdir(many)) == ["seed3", "seed4", "seed5"]
    assert [(one["seed"], one["bundle"]) for one in report["seeds"]] == [
        (seed, str(many / f"seed{seed}")) for seed in (3, 4, 5)
    ]
    assert [read(many / f"seed{seed}").name for seed in (3, 4, 5)] == [f"many-seed{n}" for n in (3, 4, 5)]
    tails = [one["validation_accuracy"]["tail"] for one in report["seeds"]]
    assert report["validation_accuracy"]["tail"] == spread(tails)._asdict()
    assert cli("train", *data, "-o", tmp_path / "one", "--seed", 4).status == 0
    assert _digests(many / "seed4") == _digests(tmp_path / "one")
    assert _digests(many / "seed4") != _digests(many / "seed3")
    assert sorted(os.listdir(tmp_path)) == ["many", "one", "table.npz"]  # no checkpoint is left


def test_people_see_a_table_and_the_mean(cli: Cli, table: Path, tmp_path: Path) -> None:
    outcome = cli("train", "--data", table, *SMALL, "-o", tmp_path / "many", "--seeds", 2)
    lines = outcome.out.split("\n")
    assert re.fullmatch(r" *seed +tail +exit +exits +threshold +trained *", lines[1])
    assert re.fullmatch(r" +0 +[\d.]{4,6} +[\d.]{4,6} +[\d.]{3,5} +\S+ +\d\.\d *", lines[4])
    number = r"[\d.]+ ± [\d.]+ %"
    mean = rf"validation accuracy, mean of 2 seeds: tail {number}, exit alone {number} \(95% interval, .*\)"
    assert re.fullmatch(mean, lines[-3])
    assert re.fullmatch(rf"written to {tmp_path}/many: seed0, seed1; \d+\.\d s in all", lines[-2])
    told = r"seed \d: trained in \d\.\d s, validation accuracy [\d.]+%"
    assert re.fullmatch(f"{told}\n{told}\n", outcome.err)


def test_interrupted_the_same_command_goes_on(
    cli: Cli, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, seeds = training.fit, []

    def interrupted(*arguments: Any, seed: int, **settings: Any) -> Any:
        seeds.append(seed)
        if seeds == [0, 1]:
            raise KeyboardInterrupt
        return fit(*arguments, seed=seed, **settings)

    monkeypatch.setattr("offramp.system.training.fit", interrupted)
    command = ("train", "--data", table, *SMALL, "-o", tmp_path / "many", "--seeds", 3, "--workers", 1)
    outcome = cli(*command)
    assert (outcome.status, outcome.out) == (130, "")
    assert outcome.err.endswith("\ninterrupted; the same command goes on where it was\n")
    assert os.listdir(tmp_path / "many") == ["seed0"]
    first = _digests(tmp_path / "many" / "seed0")
    resumed = cli(*command)
    assert resumed.status == 0, resumed.err
    assert "goes on after 2 of 2 epochs\n" in resumed.err
    assert sorted(os.listdir(tmp_path / "many")) == ["seed0", "seed1", "seed2"]
    assert _digests(tmp_path / "many" / "seed0") == first
    assert not (tmp_path / "many.checkpoint").exists()
    assert cli(*command).error.startswith(
        f"{tmp_path}/many/seed0: exists already; give another path, or --over"
    )
    assert cli(*command, "--overwrite").status == 0


def test_another_command_s_checkpoints_are_refused_with_the_seed(
    cli: Cli, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.cli.order.write", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    command = ("train", "--data", table, "-o", tmp_path / "many", "--seeds", 2, "--neurons", "auto,8,auto")
    assert cli(*command, "--epochs", 2).status == 130
    error = cli(*command, "--epochs", 3).error
    assert error.startswith(
        f"seed 0: checkpoint {tmp_path}/many.checkpoint/seed0/checkpoint.safetensors is of"
    )
    assert "recipe.epochs=2, this run has recipe.epochs=3" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--neurons", "6,8,3"], "3 outputs for 2 classes; end neurons with 2 or auto"),
        (["--data", "absent.npz"], "absent.npz: no such file"),
        (["--seeds", "0"], "'--seeds'"),
        (["--workers", "0"], "'--workers'"),
        (["-o", "table.npz"], "table.npz: exists already"),
        (["-o", "absent/many"], "absent/many: cannot be written: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_trained_is_refused_before_any_work(
    cli: Cli,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("offramp.cli.seeds.run_each", lambda *_, **__: pytest.fail("work was begun"))
    outcome = cli("train", "--data", table, "-o", "many", "--seeds", 2, *arguments)
    assert words in outcome.error
    assert not outcome.error.startswith("seed")
    assert os.listdir(tmp_path) == ["table.npz"]


def test_a_bundle_is_no_folder_for_bundles(cli: Cli, table: Path, tmp_path: Path) -> None:
    path = tmp_path / "one"
    assert cli("train", "--data", table, *SMALL, "-o", path).status == 0
    error = cli("train", "--data", table, *SMALL, "-o", path, "--seeds", 2, "--overwrite").error
    assert error == f"{path}: is a bundle itself; with --seeds give a folder for several, or a new one"


def _wait_for(paths: list[Path], process: Any) -> None:
    deadline = time.monotonic() + 60
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def test_ctrl_c_ends_all_workers_and_each_saves_its_last_step(
    started: Cli, table: Path, tmp_path: Path
) -> None:
    kept = [tmp_path / "many.checkpoint" / f"seed{n}" / "checkpoint.safetensors" for n in range(2)]
    settings = ("--data", table, "--neurons", "auto,8,auto", "--epochs", 10**6, "--seeds", 2, "--workers", 2)
    with started("train", *settings, "-o", tmp_path / "many") as process:
        _wait_for(kept, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        # Workers have standard error too: its end says that they are gone.
        assert process.stderr.read() == "interrupted; the same command goes on where it was\n"
    for path in kept:
        with safe_open(path, "np") as file:
            progress = json.loads(file.metadata()["story"])["progress"]
        assert progress["batch"] > 0, "saved at the end of an epoch, not when it was stopped"
    assert not (tmp_path / "many").exists()
