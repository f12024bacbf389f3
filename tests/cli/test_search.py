"""offramp search: the front as a table, a picture, and files that train takes."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offramp.bundle import read

Cli = Callable[..., Any]

QUICK = ("search", "--trials", 4, "--epochs", "1,2", "--workers", 1)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a search over digits that is over; tests only read it."""
    from offramp.cli import main

    path = tmp_path_factory.mktemp("search") / "found"
    assert main([*map(str, QUICK), "--max-params", "900", "-o", str(path)]) == 0
    return path


def test_people_see_the_front_and_what_to_do_next(cli: Cli, folder: Path) -> None:
    outcome = cli(*QUICK, "--max-params", 900, "-o", folder)  # finished: nothing is trained again
    assert outcome.status == 0, outcome.err
    lines = outcome.out.split("\n")
    assert lines[0].strip() == "front of 4 networks"
    assert " ".join(lines[2].split()) == (
        "parameters validation % bytes MACs neurons out-degrees blocks pool teacher epochs"
    )
    rows = [
        line
        for line in lines
        if re.match(r" +\d+ +[\d.]+ ± [\d.]+ +[\d,]+ +\d+ +\S+ +\S+ +\S+ +[12] +\S+ +2 ", line)
    ]
    assert len(rows) == len(list((folder / "front").iterdir()))
    largest = int(rows[-1].split()[0])
    assert lines[-3] == f"written to {folder}: pareto.png, results.json, results.csv, front; next:"
    assert lines[-2] == f"  offramp train --config {folder}/front/{largest}.toml -o m"


def test_the_files_hold_all_networks(folder: Path) -> None:
    assert (folder / "pareto.png").read_bytes().startswith(PNG)
    result = json.loads((folder / "results.json").read_text())
    assert (result["data"], result["budget"]["max_params"], result["settings"]["seed"]) == ("digits", 900, 0)
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result["networks"]) == 4
    for row, network in zip(rows, result["networks"], strict=True):
        assert int(row["parameters"]) == network["parameters"] <= 900
        assert row["neurons"] == ",".join(map(str, network["neurons"]))
        assert float(row["validation_accuracy"]) == network["validation_accuracy"]
        assert row["front"] == str(network["front"])


def test_train_takes_every_network_of_the_front(cli: Cli, folder: Path, tmp_path: Path) -> None:
    for path in (folder / "front").iterdir():
        outcome = cli("train", "--config", path, "--epochs", 1, "--json", "-o", tmp_path / path.stem)
        assert outcome.status == 0, outcome.err
        parameters = json.loads(outcome.out)["parameters"]
        assert parameters["head"] + parameters["tail"] == int(path.stem)
        assert read(tmp_path / path.stem).training["dataset"] == "digits"


def test_scripts_get_json(cli: Cli, tmp_path: Path) -> None:
    outcome = cli(*QUICK, "--max-params", 900, "--min-accuracy", 0.01, "--json", "-o", tmp_path / "s")
    assert outcome.status == 0, outcome.err
    report = json.loads(outcome.out)
    assert report["n_networks"] == 4
    assert report["chosen"] == report["front"][0]["parameters"]
    assert Path(report["front"][0]["config"]).is_file()


def test_a_network_with_a_teacher_is_trained_with_one_from_its_file(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.search.settings.DISTIL_WEIGHTS", (0.9,))
    assert cli("train", "-o", tmp_path / "wise", "--epochs", 2).status == 0
    taught = ("--max-params", 900, "--trials", 6, "--epochs", 1, "--teacher", tmp_path / "wise")
    outcome = cli("search", *taught, "--workers", 1, "-o", tmp_path / "s")
    assert outcome.status == 0, outcome.err
    assert "teacher: its share of what is learnt; the labels' is the rest" in outcome.out
    networks = json.loads((tmp_path / "s" / "results.json").read_text())["networks"]
    assert {network["distill_weight"] for network in networks} == {0.9}
    path = next((tmp_path / "s" / "front").iterdir())
    summary = json.loads(cli("train", "--config", path, "--epochs", 1, "--json", "-o", tmp_path / "m").out)
    assert (summary["taught"]["weight"], summary["taught"]["teacher"]["bundle"]) == (0.9, "wise")


def test_a_goal_out_of_reach_is_told(cli: Cli, tmp_path: Path) -> None:
    goal = ("--max-params", 300, "--min-accuracy", 1)
    outcome = cli(*QUICK, *goal, "-o", tmp_path / "s")
    assert re.search(r"^no network reaches 100.00%; the best has [\d.]+%$", outcome.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a search without end; give --max-params, --max-bytes, --max-macs or --min-accuracy"),
        (("--max-params", 20), "no network of this search keeps the budget: --max-params=20 but 74 of the"),
        (("--max-params", 0), "Invalid value for '--max-params': "),
        (("--max-params", 900, "--epochs", "3,2"), "epochs=(3, 2) must be whole numbers of 1 or more, asc"),
        (("--max-params", 900, "--epochs", "a"), "'a' is no whole number above 0"),
        (("--max-params", 900, "--minutes", "0"), "Invalid value for '--minutes': "),
        (
            ("--max-params", 900, "--teacher", "x", "--no-distill"),
            "--teacher is for learning from a teacher; l",
        ),
        (("--max-params", 900, "--data", "absent.npz"), "absent.npz: no such file"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_searched_is_refused(
    cli: Cli, tmp_path: Path, arguments: tuple[Any, ...], words: str
) -> None:
    assert words in cli(*QUICK, *arguments, "-o", tmp_path / "s").error


def test_another_search_in_the_folder_is_refused(cli: Cli, folder: Path) -> None:
    error = cli(*QUICK, "--max-params", 901, "-o", folder).error
    assert error.startswith(f"{folder}/study.journal: is of a search with budget=")


def test_without_optuna_one_line_says_what_to_install(python: Cli) -> None:
    hide = "import sys; sys.modules['optuna'] = None\n"
    done = python(
        hide + "from offramp.cli import main; sys.exit(main(['search', '--max-params', '9', '-o', 's']))"
    )
    assert (
        done.error == "this command needs optuna, which is not installed; run: pip install 'offramp[search]'"
    )


def test_other_commands_never_import_optuna(python: Cli) -> None:
    done = python(
        "import sys; from offramp.cli import main; main(['--help']); assert 'optuna' not in sys.modules"
    )
    assert done.status == 0, done.err
