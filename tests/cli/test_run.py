import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.bundle import Preprocessing
from offramp.cli.run import sample_from_json
from offramp.data import load
from offramp.errors import DataError

Cli = Callable[..., Any]

DIGIT = Preprocessing((2, 3), "uint8")
TABLE = Preprocessing((3,), "float32")


@pytest.mark.parametrize("mode", ["local", "remote", "split", "split+exit"])
def test_every_mode_answers_every_sample_on_a_line(cli: Cli, bundle: Path, tail: str, mode: str) -> None:
    outcome = cli("run", bundle, "--tail", tail, "--mode", mode, "--data", "digits", "--limit", 20)
    assert outcome.status == 0, outcome.err
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    dataset = load("digits")
    assert [line["id"] for line in lines] == dataset.splits["test"][:20].tolist()
    for line in lines:
        assert line["correct"] == (line["label"] == dataset.y[line["id"]])
        assert line["class"] == str(line["label"])
        assert 0.1 <= line["confidence"] <= 1
        assert line["source"] in {"local": ("local",), "split+exit": ("exit", "tail")}.get(mode, ("tail",))
        assert line["payload_bytes"] == (0 if line["source"] in ("exit", "local") else 64)
    assert outcome.err.startswith("20 answered, accuracy ")
    assert outcome.err.count("\n") == 1


def test_lines_of_json_from_standard_input_are_answered_as_a_data_set_is(
    offramp: Cli, cli: Cli, bundle: Path, tail: str
) -> None:
    x, _ = load("digits").split("test")
    text = "".join(f"{sample.tolist()}\n" for sample in x[:5])
    piped = offramp("run", bundle, "--tail", tail, stdin=text)
    whole = cli("run", bundle, "--tail", tail, "--data", "digits", "--limit", 5)
    labels = [[json.loads(line)["label"] for line in o.out.splitlines()] for o in (piped, whole)]
    assert labels[0] == labels[1]
    assert [json.loads(line)["id"] for line in piped.out.splitlines()] == [1, 2, 3, 4, 5]
    assert "correct" not in piped.out


def test_bad_lines_are_told_of_and_lose_nothing_else(offramp: Cli, bundle: Path) -> None:
    good = str([[0] * 8] * 8)
    text = "\n".join([good, "[[1, 2]]", "{", "", good, str([[999] * 8] * 8)])
    outcome = offramp("run", bundle, "--mode", "local", stdin=text)
    assert outcome.status == 1
    assert [json.loads(line)["id"] for line in outcome.out.splitlines()] == [1, 5]
    told = outcome.err.splitlines()
    assert told[0] == "line 2 skipped: int64 (1, 2); give uint8 (8, 8) as nested lists"
    assert told[1].startswith("line 3 skipped: no nested lists of numbers (")
    assert told[2] == "line 6 skipped: values 999..999; give uint8 (8, 8), so 0..255"
    assert told[3].startswith("2 answered, local 100.0%, ")
    assert told[4] == "error: lines skipped: 3, as said above; every other one was answered"


def test_a_dead_tail_leaves_the_verdict_to_the_exit(cli: Cli, bundle: Path) -> None:
    outcome = cli("run", bundle, "--tail", "127.0.0.1:1", "--data", "digits", "--limit", 30)
    assert outcome.status == 0
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert len(lines) == 30
    assert {line["source"] for line in lines} == {"exit", "fallback"}
    assert all("127.0.0.1:1 is not there" in line["reason"] for line in lines if line["source"] == "fallback")


def test_a_device_needs_only_head_and_exit(cli: Cli, bundle: Path, tail: str, tmp_path: Path) -> None:
    for name in ("manifest.json", "head.safetensors", "exit.safetensors"):
        shutil.copy(bundle / name, tmp_path)
    (tmp_path / "tail.safetensors").write_text("of no use here, so not looked at", encoding="utf-8")
    outcome = cli("run", tmp_path, "--tail", tail, "--data", "digits", "--limit", 30)
    assert outcome.status == 0
    assert '"source":"tail"' in outcome.out


def test_classes_are_compared_by_name(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    dataset = load("digits")
    some = np.flatnonzero(dataset.y >= 7)[:60]  # their classes are numbered anew, from 0
    file = tmp_path / "some.npz"
    np.savez(file, x=dataset.x[some], y=dataset.y[some])
    outcome = cli("run", bundle, "--mode", "local", "--data", file, "--split", "all")
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert [line["correct"] for line in lines] == [
        line["label"] == dataset.y[i] for line, i in zip(lines, some, strict=True)
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tail", "nonsense"], "tail address 'nonsense'; use host:port"),
        (["--tail", "host:99999"], "tail address 'host:99999'; use host:port"),
        ([], "mode split+exit needs a tail; give --tail HOST:PORT, or --mode local"),
        (["--mode", "lokal"], "unknown mode 'lokal'; use one of local, remote, split, split+exit"),
        (["--mode", "local", "--data", "cifar"], "cifar: no known data set"),
        (["--mode", "local", "--data", "absent.npz"], "absent.npz: no such file"),
        (
            ["--mode", "local", "--data", "digits", "--split", "exam"],
            "unknown split 'exam'; use one of all, train",
        ),
        (["--tail", "h:1", "--deadline-s", "0"], "'--deadline-s'"),
    ],
)
def test_what_cannot_run_is_one_line(cli: Cli, bundle: Path, arguments: list[str], words: str) -> None:
    outcome = cli("run", bundle, *arguments)
    assert words in outcome.error
    assert outcome.out == ""


def test_data_of_another_shape_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.npz"
    np.savez(file, x=np.zeros((40, 5), np.uint8), y=np.arange(40) % 2)
    outcome = cli("run", bundle, "--mode", "local", "--data", file)
    assert "shape (5,); this network reads (8, 8)" in outcome.error


@given(st.lists(st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=2, max_size=2))
def test_every_uint8_sample_survives_json(values: list[list[int]]) -> None:
    sample = sample_from_json(json.dumps(values).encode(), DIGIT)
    assert sample.dtype == np.uint8
    assert sample.tolist() == values


@given(st.binary(max_size=40) | st.from_regex(r"[\[\]0-9., -]*").map(str.encode))
def test_any_bytes_give_a_sample_or_a_data_error(line: bytes) -> None:
    try:
        sample = sample_from_json(line, TABLE)
    except DataError:
        return
    assert sample.shape == (3,)
    assert np.isfinite(sample).all()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[1, 2, 1e300]", "too large for float32"),
        ("[1, 2, null]", "object (3,)"),
        ('["1", "2", "3"]', "<U1 (3,)"),
        ("[true, false, true]", "bool (3,)"),
        ("[[1, 2], [3]]", "no nested lists of numbers"),
        ("[1, 2, NaN]", "no nested lists of numbers"),
        ("[" * 100_000, "no nested lists of numbers"),
    ],
    ids=["overflow", "null", "text", "booleans", "ragged", "NaN", "deep"],
)
def test_what_is_no_sample_is_named(line: str, words: str) -> None:
    with pytest.raises(DataError) as error:
        sample_from_json(line.encode(), TABLE)
    assert words in str(error.value)
    assert len(str(error.value)) < 300
