"""offramp search-evidence: what it prints, writes and refuses."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import offramp.data
from offramp.cli import main
from offramp.data import load
from offramp.experiments import PaperRow, paper
from offramp.train import RECIPES, teacher

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def searches(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two searches over digits that say they were over MNIST; tests only read them."""
    folder = tmp_path_factory.mktemp("searches")
    quick = ("--trials", "5", "--epochs", "1,2", "--workers", "1")
    for name, limit in (("small", 300), ("large", 900)):
        path = folder / name
        assert main(["search", *quick, "--max-params", str(limit), "--no-distill", "-o", str(path)]) == 0
        result = json.loads((path / "results.json").read_text())
        for network in result["networks"]:
            network["distill_weight"] = 0.5
        (path / "results.json").write_text(json.dumps(result | {"data": "mnist"}))
    return [folder / "small", folder / "large"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three dense rows, and digits for MNIST."""
    digits = load("digits")
    rows = (
        PaperRow(1, 1, "deep", (64, 16, 16, 10), (16, 16, 10), 1.0, 1482),
        PaperRow(2, 1, "shallow", (64, 48, 10), (48, 10), 100.0, 3610),
        PaperRow(3, 1, "sparse", (64, 40, 40, 10), (5, 4, 10), 90.0, 970),
        PaperRow(4, 2, "shallow", (64, 4, 10), (4, 10), 50.0, 310),
    )
    monkeypatch.setattr(paper, "PAPER_ROWS", rows)
    monkeypatch.setattr(offramp.data, "load", lambda name, data_dir: digits)
    monkeypatch.setitem(RECIPES, "cosine", replace(RECIPES["cosine"], epochs=20, batch_size=64))
    monkeypatch.setattr(teacher, "TEACHER_HIDDEN", (16,))
    monkeypatch.setattr(teacher, "TEACHER_EPOCHS", 2)


def test_people_see_what_is_reached_and_what_is_not(
    cli: Cli, searches: list[Path], small: None, tmp_path: Path
) -> None:
    outcome = cli("search-evidence", *searches, "--seeds", 5, "--workers", 1, "-o", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    lines = [line.split() for line in outcome.out.splitlines()]
    verdicts = {line[0]: line[-1] for line in lines if line[:1] and line[0] in ("1", "2", "4")}
    assert verdicts == {"1": "better", "2": "worse", "4": "none"}
    assert "For 1 of the 3 dense rows a network with" in outcome.out
    assert "Not reached: row 2 (3,610 parameters, 100.00): " in outcome.out
    assert "The searches have no network small enough for row 4." in outcome.out
    assert "row 1, 1,482 parameters, paper 1.00: " in outcome.err
    there = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert there == ["results.json", "runs", "search.csv", "teachers"]


def test_scripts_get_json_and_a_second_call_gives_the_same(
    cli: Cli, searches: list[Path], small: None, tmp_path: Path
) -> None:
    asked = ("search-evidence", *searches, "--seeds", 2, "-o", tmp_path, "--json", "--workers", 1)
    first, second = (json.loads(cli(*asked).out) for _ in range(2))
    assert first["rows"] == second["rows"]
    assert [row["row"] for row in first["rows"]] == [1, 2, 4]
    assert first["rows"][0]["network"]["distill_weight"] == 0.5
    assert [run["seed"] for run in first["rows"][1]["runs"]] == [0, 1]
    assert first["command"] == "offramp search-evidence small large --seeds 2"
    assert first["searches"][0]["command"] == (
        "offramp search --data mnist --max-params 300 --trials 5 --epochs 1,2 --no-distill"
    )


def test_the_page_names_its_own_command_and_our_own_dense_rows(
    cli: Cli, searches: list[Path], small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("paper.csv").write_text(
        "table,type,neurons,out_degrees,recipe,pattern,block,seed,parameters,accuracy_percent,train_s\n"
        "1,deep,64 16 16 10,16 16 10,paper,full,,0,1482,0.50,7\n"
    )
    chosen = ("--seeds", 1, "--reproduced", "paper.csv", "--markdown", "search.md", "--workers", 1)
    outcome = cli("search-evidence", *searches, *chosen, "-o", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    page = Path("search.md").read_text()
    command = "offramp search-evidence small large --seeds 1 --reproduced paper.csv --markdown search.md"
    assert f"`{command}`" in page
    assert str(tmp_path) not in page
    assert "Against the same dense rows trained by us as published, 1 of 1 are reached." in page
    assert sorted(path.name for path in tmp_path.glob("search.*")) == [
        "search.csv",
        "search.md",
        "search.svg",
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"data": "digits"},
            "copy: searched on digits, but the paper's rows are of MNIST; search with --data",
        ),
        ({"settings": {"epochs": [1, 3]}}, "the highest rungs have different epochs (2 in "),
        (
            {"networks": []},
            "none of these searches trained a network to its highest rung that has at most a q",
        ),
    ],
    ids=["data", "rungs", "nothing"],
)
def test_searches_that_tell_nothing_are_refused(
    cli: Cli, searches: list[Path], small: None, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(searches[0], copy)
    result = json.loads((copy / "results.json").read_text())
    settings = result["settings"] | change.get("settings", {})
    (copy / "results.json").write_text(json.dumps(result | change | {"settings": settings}))
    beside = [] if "networks" in change else [searches[0]]
    assert words in cli("search-evidence", *beside, copy, "-o", tmp_path / "out").error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--reproduced", "none.csv"), "none.csv: cannot be read: "),
        (("--markdown", "page.html"), "page.html: the page is Markdown; give a name that ends in .md"),
        (("nowhere",), "nowhere: holds no results.json; give the folder of a finished offramp search"),
    ],
    ids=["reproduced", "page", "folder"],
)
def test_what_cannot_be_is_refused_before_any_training(
    cli: Cli, searches: list[Path], small: None, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    assert words in cli("search-evidence", *searches, *options, "-o", tmp_path / "out").error
