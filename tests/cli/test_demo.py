import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offramp.bundle import part_bytes, read
from offramp.cli.demo import TRIOS
from offramp.report import read_result

Cli = Callable[..., Any]

MODES = ["local", "remote", "split", "split+exit"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(offramp: Cli, folder: Path) -> str:
    """What a small demo printed."""
    quick = ("--samples", 40, "--epochs", 8, "--rate-bits-per-s", 1e7, "--delay-ms", 0.5)
    outcome = offramp("demo", *quick, cwd=folder)
    assert outcome.status == 0, outcome.err
    return str(outcome.out)


def test_every_network_is_measured_in_every_mode(printed: str, folder: Path) -> None:
    rows = json.loads((folder / "report.json").read_bytes())["rows"]
    assert [(row["network"], row["mode"]) for row in rows] == [
        (network, mode) for network in ("dense", "small-dense", "sparse") for mode in MODES
    ]
    assert all(row["n_samples"] == 40 for row in rows)
    assert all(row["fallbacks"] == 0 for row in rows)
    assert sum(f" {mode} " in line for mode in MODES for line in printed.splitlines()) == 12


def test_rows_agree_with_the_bundles_and_with_one_another(printed: str, folder: Path) -> None:
    result = read_result(folder / "report.json")
    for row in result.rows:
        path = folder / "offramp-demo" / row.network
        parts = read(path).parts
        assert row.head_parameters == parts["head"].n_parameters
        assert row.head_bytes == part_bytes(path, "head")
        macs = {name: part.n_macs for name, part in parts.items()}
        expected = {
            "local": macs["head"] + macs["tail"],
            "remote": 0,
            "split": macs["head"],
            "split+exit": macs["head"] + macs["exit"],
        }
        assert row.edge_macs == expected[row.mode]
        sent = row.mode != "local" and row.exit_rate < 1
        assert (row.wire_bytes_per_sample > row.payload_bytes_per_sample) == sent
        assert row.latency_p50_s <= row.latency_p99_s
        assert row.accuracy > 0.5  # labels belong to their samples
    by_mode = {row.mode: row for row in result.rows if row.network == "sparse"}
    assert by_mode["remote"].payload_bytes_per_sample == 64
    assert by_mode["split"].payload_bytes_per_sample == 32 * 2  # float16
    assert by_mode["local"].wire_bytes_per_sample == 0
    assert by_mode["split"].latency_p50_s > 0.001  # both delays of the link


def test_the_exit_s_record_gives_the_rows_again(printed: str, folder: Path) -> None:
    result = read_result(folder / "report.json")
    for network in result.networks:
        row = next(row for row in result.rows if (row.network, row.mode) == (network.name, "split+exit"))
        sure = [confidence >= network.threshold for confidence in network.confidence]
        assert row.exit_rate == pytest.approx(sum(sure) / 40)
        answers = zip(sure, network.exit_correct, network.tail_correct, strict=True)
        assert row.accuracy == pytest.approx(sum(e if s else t for s, e, t in answers) / 40, abs=0.026)


def test_the_page_is_written_with_all_rows(printed: str, folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<td>split+exit</td>") == 3
    assert "40 of the 355 test samples, drawn at random, were streamed" in page


@pytest.mark.parametrize("name", TRIOS)
def test_the_small_dense_head_has_about_as_many_parameters_as_the_sparse_one(name: str) -> None:
    trio = TRIOS[name]
    n_in, width, *_ = trio.neurons
    small = trio.designs()["small-dense"].neurons[1]
    assert small * (n_in + 1) == pytest.approx(n_in * trio.out_degree + width, rel=0.06)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "cifar"], "the demo has no networks for 'cifar'; use digits or mnist"),
        (["--samples", "few"], "'few' is no whole number above 0; write it as in 1000 or all"),
        (["--json", "absent/x.json"], "absent/x.json: cannot be written, "),
        (["--html", "absent/x.html"], "absent/x.html: cannot be written, "),
        (["--json", "."], ".: is a folder; give a file"),
        (["--html", "."], ".: is a folder; give a file"),
        (["--deadline-s", "3600"], "'--deadline-s'"),
        (["--deadline-s", "nan"], "'--deadline-s'"),
        (["--delay-ms", "inf"], "'--delay-ms'"),
        (["--threads", "100000"], "'--threads'"),
        (["--out-dir", "/dev/null/x"], "/dev/null/x: Not a directory"),
        (["--rate-bits-per-s", "0"], "'--rate-bits-per-s'"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in cli("demo", *arguments).error
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_bundle_is_found_before_any_work(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("offramp.data.load", lambda *_, **__: pytest.fail("work was done"))
    mine = tmp_path / "offramp-demo" / "sparse" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert "offramp-demo/sparse: not replaced, because it holds 'thesis.txt'" in cli("demo").error
    assert mine.exists()
