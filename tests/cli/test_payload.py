"""offramp payload: what it prints, writes and refuses; and the bytes that it counts on a wire."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offramp.bundle import read
from offramp.data import load
from offramp.errors import PeerError
from offramp.experiments.payload import NETWORKS, PayloadNetwork, streamed, wire
from offramp.runtime import ShapedLink
from offramp.system.design import Design
from offramp.train import RECIPES

Cli = Callable[..., Any]
QUICK = ("--data", "digits", "--risk", 0.2, "--samples", 60, "--workers", 1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One budget, for digits."""
    network = PayloadNetwork(
        budget=4_000,
        design=Design(neurons=(64, 12, 32, 10), out_degrees=(6, None, None), cut=1, block=(2, 2)),
        recipe=replace(RECIPES["cosine"], epochs=5, batch_size=32),
    )
    monkeypatch.setitem(NETWORKS, 4_000, network)


def test_people_see_tables_and_scripts_the_same_as_json(
    cli: Cli, small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("payload", *QUICK, "--budgets", 4000, "--seeds", 2, "-o", "out")
    outcome = cli(*asked, "--markdown", "payload.md")
    assert outcome.status == 0, outcome.err
    assert "payload-4000, seed 1: trained in " in outcome.err
    assert "4,000 parameters: codec " in outcome.err
    for word in ("not certified", "int4-range", "split+exit", "Really on the wire"):
        assert word in outcome.out
    assert "**" not in outcome.out
    there = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert there == ["4000.bundle", "networks", "results.csv", "results.json"]
    page = (tmp_path / "payload.md").read_text()
    command = "offramp payload --data digits --budgets 4000 --seeds 2 --risk 0.2 --samples 60"
    assert f"`{command} --markdown payload.md`" in page
    assert str(tmp_path) not in page
    assert (tmp_path / "payload.csv").read_text() == (tmp_path / "out" / "results.csv").read_text()

    again = json.loads(cli(*asked, "--json").out)
    (budget,) = again["budgets"]
    assert budget["certified"] == json.loads(_results(tmp_path / "out"))["budgets"][0]["certified"]
    assert [(one["mode"], one["batch"]) for one in again["wire"]] == [
        (mode, batch) for mode in ("remote", "split", "split+exit") for batch in (1, 64)
    ]
    remote, _, split, _, ours, together = again["wire"]
    assert remote["payload_bytes"] == 64
    assert split["exit_rate"] == 0
    assert ours["payload_bytes"] < split["payload_bytes"] < remote["payload_bytes"]
    assert together["wire_bytes"] < ours["wire_bytes"]
    assert all(one["wire_bytes"] > one["payload_bytes"] and one["fallbacks"] == 0 for one in again["wire"])


def _results(folder: Path) -> str:
    return (folder / "results.json").read_text()


def test_what_streams_counts_every_sample(bundle: Path, tail: str) -> None:
    digits = load("digits")
    raw, labels = (array[:10] for array in digits.split("test"))
    counted: list[int] = []
    host, port = tail.split(":")
    with ShapedLink(host, int(port)) as link:
        found = streamed(
            read(bundle), link, raw, labels, budget=1, mode="remote", batch=4, advance=counted.append
        )
        on_link = link.bytes_up + link.bytes_down
        again = streamed(read(bundle), link, raw, labels, budget=1, mode="remote", batch=4)
    assert counted == [4, 4, 2]
    assert (found.n, found.exit_rate, found.fallbacks) == (10, 0, 0)
    assert found.payload_bytes == 64
    assert 64 < found.wire_bytes < on_link / 10  # without what connecting takes
    assert again.wire_bytes == pytest.approx(found.wire_bytes, rel=0.3)


def test_nobody_at_the_other_end_is_told(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "DEADLINE_S", 0.2)
    raw, labels = (array[:2] for array in load("digits").split("test"))
    with (
        ShapedLink("127.0.0.1", 1) as link,
        pytest.raises(PeerError, match=r"the tail at 127\.0\.0\.1:\d+ is not ready after 0\.2 s"),
    ):
        streamed(read(bundle), link, raw, labels, budget=1, mode="split", batch=1)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--budgets", "500"), "no network is meant for 500 parameters; use 12000, 4000"),
        (("--budgets", "few"), "'few' is no whole number above 0; write it as in 32,16"),
        (("--budgets", ""), "no budget; name one, as in 12000"),
        (("--data", "cake"), "the study has no networks for 'cake'; use mnist or digits"),
        (("--data-dir", "nowhere"), "nowhere: no such folder"),
        (("--markdown", "page.html"), "page.html: the page is Markdown; give a name that ends in .md"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_in_one_line(
    cli: Cli, small: None, tmp_path: Path, options: tuple[str, ...], error: str
) -> None:
    few = () if "--budgets" in options else ("--budgets", "4000")
    assert error in cli("payload", "-o", tmp_path / "out", "--seeds", 1, *few, *options).error
