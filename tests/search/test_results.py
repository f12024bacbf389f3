"""A finished search, read again."""

import json
from pathlib import Path
from typing import Any

import pytest

from offramp.errors import ConfigError, DataError
from offramp.search import Candidate, read_results

NETWORK = {
    "neurons": [16, 8, 10],
    "out_degrees": [2, 10],
    "block": [2, 4],
    "pool": 2,
    "distill_weight": 0.5,
    "epochs": 27,
    "validation_accuracy": 0.9,
    "train_s": 1.5,
    "trial": 3,
}


def _folder(path: Path, *, budget: dict[str, Any], settings: dict[str, Any]) -> Path:
    limits = {"max_params": None, "max_bytes": None, "max_macs": None, "min_accuracy": None} | budget
    common = {"n_trials": None, "time_limit_s": None, "epochs": [3, 9, 27], "seed": 0, "temperature": 4.0}
    content = {
        "data": "mnist",
        "budget": limits,
        "settings": common | {"distill_weights": [0.0, 0.5]} | settings,
        "networks": [NETWORK, NETWORK | {"epochs": 9, "validation_accuracy": 0.99}],
    }
    (path / "results.json").write_text(json.dumps(content))
    return path


def test_only_the_highest_rung_counts(tmp_path: Path) -> None:
    result = read_results(_folder(tmp_path, budget={"max_params": 620}, settings={"time_limit_s": 480.0}))
    assert result.highest() == [(Candidate((16, 8, 10), (2, 10), (2, 4), 2, 0.5), 0.9)]


@pytest.mark.parametrize(
    ("budget", "settings", "command"),
    [
        ({"max_params": 620}, {"time_limit_s": 480.0}, "--max-params 620 --minutes 8"),
        ({"max_macs": 50_000_000}, {"n_trials": 96}, "--max-macs 50000000 --trials 96"),
        (
            {"min_accuracy": 0.96},
            {"n_trials": 9, "seed": 3, "epochs": [1, 2], "distill_weights": [0.0]},
            "--min-accuracy 0.96 --trials 9 --seed 3 --epochs 1,2 --no-distill",
        ),
    ],
    ids=["by the clock", "by number", "a goal"],
)
def test_it_tells_how_to_search_like_that(
    tmp_path: Path, budget: dict[str, Any], settings: dict[str, Any], command: str
) -> None:
    result = read_results(_folder(tmp_path, budget=budget, settings=settings))
    assert result.command() == f"offramp search --data mnist {command}"


def test_a_folder_without_a_finished_search_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"holds no results.json; give the folder of a finished offramp sea"
    ):
        read_results(tmp_path)
    (tmp_path / "results.json").write_text('{"data": "mnist", "budget": {}}')
    with pytest.raises(DataError, match=r"results.json: is not of offramp search as it is now: .*settings"):
        read_results(tmp_path)
