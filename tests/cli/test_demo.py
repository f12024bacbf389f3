import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offramp.bundle import part_bytes, read
from offramp.cli.demo import TRIOS
from offramp.cli.measure import Stream
from offramp.codec import FloatCodec
from offramp.data import load
from offramp.report import read_result

Cli = Callable[..., Any]

MODES = ["local", "remote", "split", "split+exit"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def printed(offramp: Cli, folder: Path) -> str:
    """What a small demo printed."""
    quick = ("--samples", 40, "--epochs", 8, "--seeds", 2, "--rate-bits-per-s", 1e7, "--delay-ms", 0.5)
    outcome = offramp("demo", *quick, "--markdown", "system.md", cwd=folder)
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
        assert row.accuracy == pytest.approx(sum(e if s else t for s, e, t in answers) / 40)
        split = next(row for row in result.rows if (row.network, row.mode) == (network.name, "split"))
        assert split.accuracy == pytest.approx(sum(network.tail_correct) / 40)


def test_accuracies_of_exit_tail_and_system_are_those_of_the_bundles_on_all_test_samples(
    printed: str, folder: Path
) -> None:
    result = read_result(folder / "report.json")
    assert result.n_test == 355
    x, y = load("digits", seed=0).split("test")
    for network in result.networks:
        bundle = read(folder / "offramp-demo" / network.name)
        stream = Stream(x, y, deadline_s=2)
        local = stream.through(bundle, "local", link=None, head_bytes=0)
        assert network.tail_accuracy.values[0] == pytest.approx(local.accuracy, abs=0.003)  # float16 or not
        alone = replace(bundle, tail=bundle.exit, codec=FloatCodec())
        exit_alone = stream.through(alone, "local", link=None, head_bytes=0)
        assert network.exit_accuracy.values[0] == pytest.approx(exit_alone.accuracy)
        ends = sorted((network.exit_accuracy.values[0], network.tail_accuracy.values[0]))
        assert ends[0] - 0.02 <= network.system_accuracy.values[0] <= ends[1] + 0.02
        assert len(network.system_accuracy.values) == len(network.training_s.values) == 2
        assert network.system_accuracy.mean == pytest.approx(sum(network.system_accuracy.values) / 2)


def test_the_dense_network_is_the_one_that_was_chosen(printed: str, folder: Path) -> None:
    result = read_result(folder / "report.json")
    widths = [candidate.neurons[1] for candidate in result.choice.candidates]
    assert widths == list(TRIOS["digits"].dense_widths)
    dense = read(folder / "offramp-demo" / "dense")
    assert dense.parts["head"].n_out == widths[result.choice.chosen]
    assert result.networks[0].neurons == result.choice.candidates[result.choice.chosen].neurons
    assert result.choice.sparse.head_parameters == result.rows[-1].head_parameters


def test_the_markdown_page_has_the_command_that_gives_it_again(printed: str, folder: Path) -> None:
    page = (folder / "system.md").read_text(encoding="utf-8")
    options = "--seeds 2 --epochs 8 --samples 40 --rate-bits-per-s 1e+07 --delay-ms 0.5 --markdown system.md"
    assert f"Written by `offramp demo {options}`" in page
    assert "Against small-dense, accuracy of the system on all 355 test samples, mean of 2 seeds" in page
    assert (folder / "system.csv").read_text(encoding="utf-8").count("\n") == 13


def test_the_page_is_written_with_all_rows(printed: str, folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<td>split+exit</td>") == 3
    assert "40 of the 355 test samples, drawn at random, were streamed" in page


@pytest.mark.parametrize("name", TRIOS)
def test_the_small_dense_head_has_about_as_many_parameters_as_the_sparse_one(name: str) -> None:
    trio = TRIOS[name]
    n_in, width, *_ = trio.neurons
    small = trio.designs().small_dense.neurons[1]
    assert all(small < wide for wide in trio.dense_widths)
    assert list(trio.dense_widths) == sorted(trio.dense_widths)
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
        (["--markdown", "page.txt"], "page.txt: the page is Markdown; give a name that ends in .md"),
        (["--markdown", "absent/x.md"], "absent/x.md: cannot be written, "),
        (["--seeds", "0"], "'--seeds'"),
        (["--deadline-s", "3600"], "'--deadline-s'"),
        (["--deadline-s", "nan"], "'--deadline-s'"),
        (["--delay-ms", "inf"], "'--delay-ms'"),
        (["--threads", "100000"], "'--threads'"),
        (["--out-dir", "/dev/null/x"], "/dev/null/x: no folder can be made there (Not a directory)"),
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
