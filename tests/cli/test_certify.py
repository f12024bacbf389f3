"""offramp certify: what it prints, writes and refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

SMALL = ("certify", "--data", "digits", "--samples", 2600, "--trials", 2, "--workers", 1)


def test_people_see_every_way_and_what_holds(cli: Cli, tmp_path: Path) -> None:
    outcome = cli(*SMALL, "-o", tmp_path / "out", "--markdown", tmp_path / "certify.md")
    assert outcome.status == 0, outcome.err
    for measure in ("accuracy-drop", "exited-error", "disagreement"):
        assert f"{measure}\n" in outcome.out.replace(" ", "")
    for method in ("ltt", "ltt-bonferroni", "ltt-holm", "ucb", "crc", "empirical"):
        assert any(line.split()[:1] == [method] for line in outcome.out.splitlines())
    assert "ways that promise at most 5% violations" in outcome.out
    assert "`" not in outcome.out
    page = (tmp_path / "certify.md").read_text()
    assert "`offramp certify --data digits --trials 2 --samples 2600`" in page
    assert str(tmp_path) not in page
    assert (tmp_path / "certify.svg").exists()
    rows = json.loads((tmp_path / "out" / "certify.json").read_text())["rows"]
    assert {row["trials"] for row in rows} == {2}


def test_scripts_get_json_where_they_want_it_and_the_same_again(cli: Cli, tmp_path: Path) -> None:
    asked = (*SMALL, "-o", tmp_path / "out", "--json-file", tmp_path / "here.json", "--json")
    first, second = (json.loads(cli(*asked).out) for _ in range(2))
    assert first["rows"] == second["rows"] == json.loads((tmp_path / "here.json").read_text())["rows"]
    assert not (tmp_path / "out" / "certify.json").exists()
    network = first["network"]
    assert network["data"] == "digits"
    assert network["tail_accuracy"] > network["exit_accuracy"] > 0.8


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--samples", 300), "240 samples are too few to certify accuracy-drop of at most 0.005"),
        (("--data", "cake"), "cake: no known data set"),
        (("--markdown", "page.html"), "page.html: the page is Markdown; give a name that ends in .md"),
        (("--json-file", "no/where.json"), "no/where.json: cannot be written"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_in_one_line(
    cli: Cli, tmp_path: Path, options: tuple[Any, ...], error: str
) -> None:
    assert error in cli(*SMALL, "-o", tmp_path / "out", *options).error
