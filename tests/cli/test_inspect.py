import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offramp.bundle import Part, part_bytes, read
from offramp.plan import JunctionSpeed

Cli = Callable[..., Any]
FIGURES = ("ours µs", "dense µs", "over dense")


def measuring(monkeypatch: pytest.MonkeyPatch, *, over_dense: float | None, dense_threads: int = 1) -> None:
    """Instead of the clock: ours takes 10 us, whatever the junction."""

    def measure(part: Part, *, batch: int) -> dict[int, JunctionSpeed]:
        dense_s = None if over_dense is None else over_dense * 1e-5
        speed = JunctionSpeed(batch, 1e-5, dense_s, over_dense, 9, dense_threads)
        return {int(name.split(".")[0]): speed for name in part.arrays}

    monkeypatch.setattr("offramp.cli.inspect.measure_part", measure)


def test_json_tells_what_the_bundle_holds(cli: Cli, bundle: Path) -> None:
    outcome = cli("inspect", bundle, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    content, expected = json.loads(outcome.out), read(bundle)
    head = content["parts"]["head"]
    assert content["head_digest"] == head["digest"] == expected.head_digest
    assert head["parameters"] == 64 * 4 + 16
    assert head["macs"] == 64 * 4
    assert head["bytes"] == part_bytes(bundle, "head")
    sparse, relu = head["layers"]
    assert relu == {"kind": "relu"}
    assert (sparse["kind"], sparse["out_degree"], sparse["in_degree"], sparse["block"]) == (
        "sparse",
        4,
        16,
        [4, 4],
    )
    assert sparse["density"] == 0.25
    assert content["exit_rule"]["threshold"] == expected.exit_rule.threshold
    assert content["exit_rule"]["evidence"]["method"] == "empirical"
    assert (content["exit_rule"]["temperature"], content["exit_rule"]["watched"]) == (1.0, False)
    assert content["inner_exits"] == {}
    assert content["sent_bytes_at_most"] == 4 * expected.n_sent
    assert content["preprocessing"]["shape"] == [8, 8]
    assert len(content["training"]["history"]) == 20


def test_json_has_a_measured_speed_under_every_junction(cli: Cli, bundle: Path) -> None:
    content = json.loads(cli("inspect", bundle, "--json", "--batch", 3).out)
    layers = [layer for part in content["parts"].values() for layer in part["layers"]]
    assert [layer["kind"] for layer in layers if "speed" not in layer] == ["relu", "relu"]
    for layer in layers:
        if "speed" in layer:
            speed = layer["speed"]
            assert (speed["batch"], speed["n_rounds"] >= 5) == (3, True)
            assert min(speed["ours_s"], speed["dense_s"], speed["over_dense"]) > 0
            assert speed["dense_is_faster"] is (speed["over_dense"] < 1 / 1.05)


def test_a_sparse_junction_that_dense_would_outrun_is_told_so(
    cli: Cli, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measuring(monkeypatch, over_dense=0.8)
    out = cli("inspect", bundle, "--batch", 4).out
    sentences = [line for line in out.splitlines() if "a dense layer would be" in line]
    assert sentences == [  # and none for the dense layers of exit and tail
        "head layer 1: a dense layer would be 1.2 times as fast here at batch 4 (density 0.25);"
        " use out-degree full, at 4.0 times the weights"
    ]
    assert "here, at batch 4, on 1 thread; dense is NumPy's matmul on 1 thread\n" in out


@pytest.mark.parametrize("over_dense", [0.97, 3.0, None], ids=["tie", "faster", "no peer"])
def test_nothing_is_said_where_dense_is_not_faster(
    cli: Cli, bundle: Path, monkeypatch: pytest.MonkeyPatch, over_dense: float | None
) -> None:
    measuring(monkeypatch, over_dense=over_dense)
    out = cli("inspect", bundle).out
    assert "a dense layer would be" not in out
    assert all(title in out for title in FIGURES)


def test_the_table_has_the_measured_figures(cli: Cli, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring(monkeypatch, over_dense=2.5, dense_threads=2)
    out = cli("inspect", bundle).out
    rows = [line for line in out.splitlines() if "→" in line][1:]
    assert len(rows) == 4
    assert all(row.split()[-3:] == ["10.0", "25.0", "2.50"] for row in rows)
    assert "NumPy's matmul on 2 threads" in out


def test_no_speed_measures_nothing(cli: Cli, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offramp.cli.inspect.measure_part", lambda *_, **__: pytest.fail("measured"))
    out = cli("inspect", bundle, "--no-speed").out
    assert not any(title in out for title in FIGURES)
    assert "matmul" not in out
    assert '"speed"' not in cli("inspect", bundle, "--no-speed", "--json").out


def test_a_batch_of_no_samples_is_refused(cli: Cli, bundle: Path) -> None:
    assert (
        "Invalid value for '--batch': Input should be greater than or equal to 1"
        in cli("inspect", bundle, "--batch", 0).error
    )


def test_the_table_shows_every_junction_and_fact(cli: Cli, bundle: Path) -> None:
    out = cli("inspect", bundle).out
    for words in ("64 → 16", "16 → 10", "16 → 32", "32 → 10", "4×4", "float32", "max_softmax at least"):
        assert words in out
    assert read(bundle).head_digest in out


def test_a_device_that_has_the_head_alone_can_look_at_it(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "head.safetensors"):
        shutil.copy(bundle / name, tmp_path)
    content = json.loads(cli("inspect", tmp_path, "--json").out)
    assert list(content["parts"]) == ["head"]


def test_a_missing_bundle_is_one_line(cli: Cli, tmp_path: Path) -> None:
    assert "absent/manifest.json: No such file or directory" in cli("inspect", tmp_path / "absent").error


def test_a_truncated_bundle_is_one_line_that_names_the_file(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    head = copy / "head.safetensors"
    head.write_bytes(head.read_bytes()[:-7])
    assert "head.safetensors" in cli("inspect", copy).error
    assert "truncated" in cli("inspect", copy).error


def test_a_quantisation_is_shown(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    assert "in integers    not quantised" in cli("inspect", bundle, "--no-speed").out
    assert json.loads(cli("inspect", bundle, "--no-speed", "--json").out)["quantisation"] is None
    own = shutil.copytree(bundle, tmp_path / "own")
    assert cli("quantise", own, "--risk", 0.1).status == 0
    made = read(own).quantisation
    assert made is not None
    told = json.loads(cli("inspect", own, "--no-speed", "--json").out)["quantisation"]
    assert told["rule"]["threshold"] == made.rule.threshold
    assert told["grids"] == {"head": [16], "exit": []}
    assert told["evidence"] == made.evidence
    shown = cli("inspect", own, "--no-speed").out.splitlines()
    lines = {line[:14].strip(): line[15:] for line in shown}
    guarantee = made.rule.evidence["guarantee"]
    words = f"max_softmax at least {made.rule.threshold:.6g}, temperature {made.rule.temperature:.4g}"
    assert lines["in integers"] == f"{words}, watched for drift; {guarantee}"
    assert lines["grids"].startswith("head [16], fitted to n 176, data_digest ")
