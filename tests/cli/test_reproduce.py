"""offramp reproduce: what it prints, writes and refuses."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import offramp.data
from offramp.data import load
from offramp.experiments import PaperRow, paper
from offramp.train import RECIPES

Cli = Callable[..., Any]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three small rows, and digits for MNIST."""
    digits = load("digits")
    rows = (
        PaperRow(1, 1, "deep", (64, 6, 6, 10), (6, 6, 10), 80.0, 499),
        PaperRow(2, 1, "shallow", (64, 7, 10), (7, 10), 80.0, 535),
        PaperRow(3, 2, "sparse", (64, 20, 20, 10), (5, 4, 10), 85.0, 650),
    )
    monkeypatch.setattr(paper, "PAPER_ROWS", rows)
    monkeypatch.setattr(offramp.data, "load", lambda name, data_dir: digits)
    monkeypatch.setitem(RECIPES, "paper", replace(RECIPES["paper"], epochs=2, batch_size=32))


def test_people_see_the_table_the_verdicts_and_the_misprint(cli: Cli, small: None, tmp_path: Path) -> None:
    outcome = cli("reproduce", "--seeds", 2, "--workers", 1, "-o", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    lines = [line for line in outcome.out.splitlines() if re.match(r" +\d ", line)]
    assert [line.split()[:4] for line in lines] == [
        ["1", "I", "deep", "64,6,6,10"],
        ["2", "I", "shallow", "64,7,10"],
        ["3", "II", "sparse", "64,20,20,10"],
    ]
    assert all(re.search(r"\d\d\.\d\d ± +\d", line) for line in lines)
    assert "row 1 [64, 6, 6, 10] printed 499, edges and biases 502" in outcome.out
    assert re.search(r"row 3, sparse, 650 parameters: \d", outcome.err)
    written = ["report.html", "results.csv", "results.json", "runs"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != "checkpoints") == written


def test_scripts_get_json_and_a_second_call_gives_the_same(cli: Cli, small: None, tmp_path: Path) -> None:
    asked = ("reproduce", "--rows", "sparse,1", "--seeds", 2, "-o", tmp_path, "--json", "--workers", 1)
    first, second = (json.loads(cli(*asked).out) for _ in range(2))
    assert first["rows"] == second["rows"]
    assert [row["row"] for row in first["rows"]] == [1, 3]
    assert [run["seed"] for run in first["rows"][0]["runs"]] == [0, 1]
    assert first["command"] == "offramp reproduce --rows sparse,1 --seeds 2"


def test_the_page_names_its_own_command_without_places(
    cli: Cli, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = ("--seeds", 1, "--pattern", "block", "--block", "2x2", "--markdown", "paper.md")
    outcome = cli("reproduce", *chosen, "-o", tmp_path / "out", "--workers", 1)
    assert outcome.status == 0, outcome.err
    page = (tmp_path / "paper.md").read_text()
    command = "offramp reproduce --seeds 1 --pattern block --block 2x2 --markdown paper.md"
    assert f"`{command}`" in page
    assert str(tmp_path) not in page
    assert (tmp_path / "paper.csv").read_text().count("block,2x2,0") == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--rows", "40"), "rows: '40' names no row; use numbers 1 to 30"),
        (("--recipe", "cake"), "recipe 'cake' is unknown; use paper or cosine"),
        (("--pattern", "full"), "pattern 'full' is none for sparse rows; use one of random, block"),
        (("--block", "4"), "'4' is no block"),
        (("--data-dir", "nowhere"), "nowhere: no such folder"),
        (("--markdown", "page.html"), "page.html: the page is Markdown; give a name that ends in .md"),
        (("--pattern", "random", "--block", "4x4", "--rows", "3"), 'pattern="random" has no blocks'),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_in_one_line(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], error: str
) -> None:
    assert error in cli("reproduce", "-o", tmp_path / "out", *options).error


def test_an_output_that_is_a_file_is_refused(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert cli("reproduce", "-o", tmp_path / "file").error.endswith("file: is a file; give a folder")
