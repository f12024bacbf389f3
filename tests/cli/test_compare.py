"""offramp compare: what it prints, writes and refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import offramp.data
from offramp.data import load
from offramp.experiments import PaperRow, paper
from offramp.experiments.rivals import METHODS
from offramp.train import RECIPES

Cli = Callable[..., Any]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sparse row with its dense ones, and digits for MNIST."""
    digits = load("digits")
    rows = (
        PaperRow(1, 1, "deep", (64, 9, 9, 10), (9, 9, 10), 90.0, 785),
        PaperRow(2, 1, "shallow", (64, 10, 10), (10, 10), 90.0, 760),
        PaperRow(3, 1, "sparse", (64, 40, 40, 10), (5, 4, 10), 90.0, 970),
    )
    monkeypatch.setattr(paper, "PAPER_ROWS", rows)
    monkeypatch.setattr(offramp.data, "load", lambda name, data_dir: digits)
    monkeypatch.setitem(RECIPES, "paper", replace(RECIPES["paper"], epochs=2, batch_size=64))


def test_people_see_every_method_and_what_wins(cli: Cli, small: None, tmp_path: Path) -> None:
    outcome = cli("compare", "--rows", 3, "--seeds", 2, "--workers", 1, "-o", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    for name in METHODS:
        assert f"row 3, {name}, " in outcome.err
        assert sum(line.split()[:1] == [name] for line in outcome.out.splitlines()) == 2 - (name == "random")
    assert "The highest mean: " in outcome.out
    assert "`" not in outcome.out
    there = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert there == ["results.csv", "results.json", "runs"]


def test_scripts_get_json_and_a_second_call_gives_the_same(cli: Cli, small: None, tmp_path: Path) -> None:
    asked = ("compare", "--rows", "sparse", "--seeds", 1, "-o", tmp_path, "--json", "--workers", 1)
    first, second = (json.loads(cli(*asked).out) for _ in range(2))
    assert first["rows"] == second["rows"]
    assert list(first["rows"][0]["methods"]) == list(METHODS)
    assert first["command"] == "offramp compare --rows sparse --seeds 1"


def test_the_page_names_its_own_command_without_places(
    cli: Cli, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = ("--rows", 3, "--seeds", 1, "--markdown", "comparisons.md")
    outcome = cli("compare", *chosen, "-o", tmp_path / "out", "--workers", 1)
    assert outcome.status == 0, outcome.err
    page = (tmp_path / "comparisons.md").read_text()
    assert "`offramp compare --rows 3 --seeds 1 --markdown comparisons.md`" in page
    assert str(tmp_path) not in page
    assert (tmp_path / "comparisons.csv").read_text() == (tmp_path / "out" / "results.csv").read_text()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--rows", "40"), "rows: '40' names no row; use numbers 1 to 30"),
        (("--rows", "3,4"), "row 4 is deep, and sparse rows are compared"),
        (("--recipe", "cake"), "recipe 'cake' is unknown; use paper or cosine"),
        (("--data-dir", "nowhere"), "nowhere: no such folder"),
        (("--markdown", "page.html"), "page.html: the page is Markdown; give a name that ends in .md"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_in_one_line(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], error: str
) -> None:
    assert error in cli("compare", "-o", tmp_path / "out", *options).error


@pytest.mark.parametrize(
    "command", [("compare",), ("reproduce",), ("search", "--max-params", "900"), ("demo",)]
)
def test_a_folder_that_cannot_be_made_is_told_with_a_way_out(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    option = "--out-dir" if command == ("demo",) else "-o"
    error = cli(*command, option, tmp_path / "file" / "out").error
    assert "no folder can be made there (Not a directory); give another path" in error
