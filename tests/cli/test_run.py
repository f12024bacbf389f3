import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.bundle import InnerExit, LinearLayer, Part, read, write
from offramp.bundle.layers import widths
from offramp.data import load
from offramp.errors import DataError
from offramp.exits import ExitRule, profile_of
from offramp.runtime import Network

Cli = Callable[..., Any]


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
    assert told[1].startswith("line 3 skipped: no sample with an id (")
    assert told[2] == "line 6 skipped: values 999..999; give uint8 (8, 8), so 0..255"
    assert told[3].startswith("2 answered, local 100.0%, ")
    assert told[4] == "error: lines skipped: 3, as said above; every other one was answered"


def test_a_sample_that_overflows_is_skipped_as_an_unreadable_line_is(
    offramp: Cli, cli: Cli, tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    rows = (f"{i % 7},{i % 5},{i % 3},{'xy'[i % 2]}" for i in range(200))
    table.write_text("\n".join(["a,b,c,state", *rows]), encoding="utf-8")
    widths = ("--neurons", "auto,8,auto", "--epochs", 1)
    assert cli("train", "--data", table, "--label", "state", "-o", tmp_path / "m", *widths).status == 0
    text = "[3e38,-3e38,3e38]\n[1,2,3]\n[4,5,6]\n"
    outcome = offramp("run", tmp_path / "m", "--mode", "local", "--limit", 1, stdin=text)
    assert outcome.status == 1
    assert [json.loads(line)["id"] for line in outcome.out.splitlines()] == [2]
    skipped, summary, error = outcome.err.splitlines()
    assert skipped.startswith("line 1 skipped: ")
    assert summary.startswith("1 answered, ")
    assert error == "error: lines skipped: 1, as said above; every other one was answered"


def test_a_run_that_ends_by_an_error_still_has_its_summary(
    cli: Cli, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise DataError("too hot")

    monkeypatch.setattr("offramp.runtime.Edge.infer_many", broken)
    outcome = cli("run", bundle, "--mode", "local", "--data", "digits")
    assert outcome.status == 1
    assert outcome.err == "no sample answered\nerror: too hot\n"


def test_a_dead_tail_leaves_the_verdict_to_the_exit(cli: Cli, bundle: Path) -> None:
    outcome = cli("run", bundle, "--tail", "127.0.0.1:1", "--data", "digits", "--limit", 30)
    assert outcome.status == 0
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert len(lines) == 30
    assert {line["source"] for line in lines} == {"exit", "fallback"}
    assert all("is not there" in line["reason"] for line in lines if line["source"] == "fallback")
    told, summary = outcome.err.splitlines()
    assert told == "tail 127.0.0.1:1 is not ready; where it does not answer, the exit's verdict stands"
    assert re.search(r"fallback [0-9.]+% \(tail 127.0.0.1:1 .*is not there: ", summary)
    assert ", requests to the tail: unreachable " in summary


def test_a_tail_that_stays_away_is_left_alone(cli: Cli, bundle: Path) -> None:
    outcome = cli(
        "run", bundle, "--tail", "127.0.0.1:1", "--data", "digits", "--mode", "split", "--limit", 30
    )
    assert outcome.status == 0
    reasons = [json.loads(line)["reason"] for line in outcome.out.splitlines()]
    assert sum("did not answer " in reason for reason in reasons) >= 20
    assert re.search(r", requests to the tail: unreachable \d+, held back \d+, opened 1$", outcome.err)


def test_hedging_is_for_whom_the_tail_is_waited_for(cli: Cli, bundle: Path, tail: str) -> None:
    hedged = cli("run", bundle, "--tail", tail, "--data", "digits", "--limit", 3, "--hedge-after-s", 5)
    assert hedged.status == 0
    refused = cli("run", bundle, "--tail", tail, "--data", "digits", "--hedge-after-s", 5, "--refine")
    assert refused.err == ("error: --hedge-after-s is for whom the tail is waited for; leave out --refine\n")


def test_a_tail_that_refuses_everything_is_an_error(
    cli: Cli, bundle: Path, tail: str, tmp_path: Path
) -> None:
    other = tmp_path / "digits"  # the tail's model has this name too, but belongs to another head
    widths = ("--neurons", "64,16,32,10", "--epochs", 1, "--seed", 5)
    assert cli("train", "-o", other, *widths).status == 0
    outcome = cli("run", other, "--tail", tail, "--data", "digits", "--mode", "split", "--limit", 3)
    assert outcome.status == 1
    assert len(outcome.out.splitlines()) == 3
    error = outcome.err.splitlines()[-1]
    assert error.startswith(f"error: all 3 offloads were refused: tail {tail} refused, ")


def test_a_tail_that_serves_another_model_is_said_not_to_be_ready(
    cli: Cli, bundle: Path, tail: str, tmp_path: Path
) -> None:
    widths = ("--neurons", "64,16,32,10", "--epochs", 1)
    assert cli("train", "-o", tmp_path / "other", *widths).status == 0
    outcome = cli("run", tmp_path / "other", "--tail", tail, "--data", "digits", "--mode", "split")
    assert outcome.status == 1
    assert outcome.err.startswith(f"tail {tail} is not ready; ")
    assert "refused, NOT_FOUND: " in outcome.err.splitlines()[-1]


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


def test_data_of_other_classes_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    dataset = load("digits")
    file = tmp_path / "named.npz"
    np.savez(file, x=dataset.x, y=np.array(["even", "odd"])[dataset.y % 2])
    outcome = cli("run", bundle, "--mode", "local", "--data", file)
    assert "named.npz: classes 'even', 'odd' are not among the bundle's '0', '1', " in outcome.error


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
    assert "shape (5,); this network reads (8, 8)" in outcome.err


def answers_of(outcome: Any) -> list[dict[str, Any]]:
    """The lines without what differs from run to run, and without the last digits."""
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    return [
        {name: value for name, value in line.items() if name not in ("latency_s", "confidence")}
        for line in lines
    ]


@pytest.mark.parametrize("mode", ["local", "remote", "split", "split+exit"])
def test_batches_give_the_same_answers_in_the_same_order(
    cli: Cli, bundle: Path, tail: str, mode: str
) -> None:
    arguments = ("run", bundle, "--tail", tail, "--mode", mode, "--data", "digits", "--limit", 50)
    alone, together = cli(*arguments), cli(*arguments, "--batch", 16)
    assert together.status == 0, together.err
    assert len(answers_of(together)) == 50
    assert answers_of(together) == answers_of(alone)
    for outcome in (alone, together):
        rate = outcome.err.split(", ")[-1]
        assert rate.endswith(" samples/s\n")
        assert float(rate.split()[0].replace(",", "")) > 1


def test_blocks_of_lines_lose_only_what_cannot_be_answered(offramp: Cli, tmp_path: Path, cli: Cli) -> None:
    table = tmp_path / "table.csv"
    rows = (f"{i % 7},{i % 5},{i % 3},{'xy'[i % 2]}" for i in range(200))
    table.write_text("\n".join(["a,b,c,state", *rows]), encoding="utf-8")
    widths = ("--neurons", "auto,8,auto", "--epochs", 1)
    assert cli("train", "--data", table, "--label", "state", "-o", tmp_path / "m", *widths).status == 0
    text = "[1,2,3]\nnonsense\n[3e38,-3e38,3e38]\n[4,5,6]\n[5,6,7]\n\n[6,7,8]\n[7,8,9]\n"
    outcome = offramp("run", tmp_path / "m", "--mode", "local", "--batch", 3, "--limit", 4, stdin=text)
    assert [json.loads(line)["id"] for line in outcome.out.splitlines()] == [1, 4, 5, 7]
    told = outcome.err.splitlines()
    assert told[0].startswith("line 2 skipped: no nested lists of numbers")
    assert told[1].startswith("line 3 skipped: sample 0 of 1 holds NaN, infinity or a value too large")
    assert told[-1] == "error: lines skipped: 2, as said above; every other one was answered"


def with_inner_exit(bundle: Path, folder: Path) -> Path:
    """The bundle with an exit in the head that knows one class, and is sure of it half of the time."""
    whole = read(bundle)
    n_in = widths(whole.parts["head"].layers[:1])[1]
    bias = np.zeros(10, np.float32)
    weight = np.zeros((10, n_in), np.float32)
    weight[3] = 1
    part = Part((LinearLayer(n_in, 10, True),), {"0.weight": weight, "0.bias": bias})
    x, _ = load("digits").split("calibration")
    scores = Network(part)(Network(whole.parts["head"], stop=1)(whole.preprocessing(x)))
    rule = ExitRule(float(np.median(ExitRule(0).confidence(scores))))
    write(dataclasses.replace(whole, inner_exits=(InnerExit("head", 1, part, rule),)), folder)
    return folder


def test_the_inner_exits_that_are_here_answer(cli: Cli, bundle: Path, tail: str, tmp_path: Path) -> None:
    made = with_inner_exit(bundle, tmp_path / "made")
    (made / "tail.safetensors").unlink()
    outcome = cli("run", made, "--tail", tail, "--data", "digits", "--batch", 32, "--limit", 100)
    assert outcome.status == 0, outcome.err
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    inner = [line for line in lines if line.get("exit") == "exit-head-1"]
    assert 20 < len(inner) < 80
    assert {(line["source"], line["payload_bytes"]) for line in inner} == {("exit", 0)}
    assert {line.get("exit") for line in lines} == {"exit-head-1", "exit", None}
    assert all(("exit" in line) == (line["source"] == "exit") for line in lines)
    assert f"exit-head-1 {len(inner) / 100:.1%}" in outcome.err

    (made / "exit-head-1.safetensors").unlink()
    without = cli("run", made, "--tail", tail, "--data", "digits", "--limit", 100)
    assert "exit-head-1" not in without.out


def test_drift_is_told_once_and_stands_in_the_summary(
    offramp: Cli, bundle: Path, tail: str, tmp_path: Path
) -> None:
    whole = read(bundle)
    x, _ = load("digits").split("calibration")
    features = Network(whole.parts["head"])(whole.preprocessing(x))
    confidences = whole.exit_rule.confidence(Network(whole.parts["exit"])(features))
    rule = dataclasses.replace(whole.exit_rule, profile=profile_of(confidences))
    write(dataclasses.replace(whole, exit_rule=rule), tmp_path / "watched")
    noise = np.random.default_rng(0).integers(0, 17, (300, 8, 8))
    text = "".join(f"{sample.tolist()}\n" for sample in noise)
    arguments = ("run", tmp_path / "watched", "--tail", tail, "--batch", 50)
    drifted = offramp(*arguments, "--drift-alarm-every", 1000, stdin=text)
    assert drifted.status == 0
    told, summary = drifted.err.splitlines()
    assert told.startswith("drift: after ")
    assert "the confidences of exit no longer look like those of its calibration" in told
    assert "(a false alarm once in 1,000 samples)" in told
    assert ", drift alarms " in summary
    off = offramp(*arguments, "--drift-alarm-every", 0, stdin=text)
    assert "drift" not in off.err


def test_a_token_is_not_sent_across_a_network_in_the_clear(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    assert cli("run", bundle, "--tail", "192.0.2.1:8001", "--token-file", token).error == (
        "a token for '192.0.2.1' would cross the network in the clear; give --ca for TLS,"
        " or leave out --token-file"
    )


def test_a_certificate_without_its_key_is_one_line(cli: Cli, bundle: Path) -> None:
    outcome = cli("run", bundle, "--tail", "localhost:1", "--ca", "ca.pem", "--cert", "device.pem")
    assert outcome.error == "--cert without --key; a certificate and its key go together"
