"""offramp run --refine: two lines for what an exit is not sure of."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offramp.data import load

Cli = Callable[..., Any]


def lines_of(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["answer"] == kind]


def test_every_provisional_answer_is_refined_once_and_after_it(cli: Cli, bundle: Path, tail: str) -> None:
    outcome = cli("run", bundle, "--tail", tail, "--data", "digits", "--refine")
    assert outcome.status == 0, outcome.err
    lines = lines_of(outcome.out)
    provisional, refined = of_kind(lines, "provisional"), of_kind(lines, "refined")
    assert len(of_kind(lines, "final")) + len(provisional) == len(load("digits").splits["test"])
    assert 10 < len(provisional) == len(refined)
    first = {line["id"]: n for n, line in enumerate(lines) if line["answer"] == "provisional"}
    for n, line in enumerate(lines):
        if line["answer"] == "refined":
            said = lines[first.pop(line["id"])]
            assert lines.index(said) < n
            assert line["provisional"] == said["label"]
            assert line["retracted"] == (line["label"] != said["label"])
            assert line["source"] == "tail"
    waiting = cli("run", bundle, "--tail", tail, "--data", "digits")
    by_tail = {str(line["id"]): line["label"] for line in lines_of(waiting.out) if line["source"] == "tail"}
    assert {line["id"]: line["label"] for line in refined} == by_tail
    n_retracted = sum(line["retracted"] for line in refined)
    right = sum(line["correct"] for line in of_kind(lines, "final") + refined)
    n = len(lines) - len(refined)
    summary = f"refined {len(refined)}, retracted {n_retracted}, accuracy in the end {right / n:.2%}"
    assert summary in outcome.err


def test_samples_with_ids_of_their_own_keep_them(offramp: Cli, bundle: Path, tail: str) -> None:
    x, _ = load("digits").split("test")
    text = "".join(
        json.dumps({"id": f"part-{i}" if i % 2 else i, "sample": x[i].tolist()}) + "\n" for i in range(40)
    )
    outcome = offramp("run", bundle, "--tail", tail, "--refine", stdin=text)
    lines = lines_of(outcome.out)
    ids = {f"part-{i}" if i % 2 else str(i) for i in range(40)}
    assert {line["id"] for line in lines} == ids
    plain = offramp("run", bundle, "--tail", tail, stdin=text)
    assert [line["id"] for line in lines_of(plain.out)] == [f"part-{i}" if i % 2 else i for i in range(40)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": 1}', "line 1 skipped: no sample with an id (Object missing required field `sample`"),
        ('{"id": [], "sample": []}', "line 1 skipped: no sample with an id (Expected `int | str`"),
        ('{"id": "a", "sample": [[1]]}', "line 1 skipped: int64 (1, 1); give uint8 (8, 8) as nested lists"),
        ('{"id": "a", "sample": "b"}', "line 1 skipped: <U1 (); give uint8 (8, 8) as nested lists"),
    ],
)
def test_an_object_that_is_no_sample_is_told_of(offramp: Cli, bundle: Path, line: str, told: str) -> None:
    outcome = offramp("run", bundle, "--mode", "local", stdin=line + "\n")
    assert outcome.status == 1
    assert outcome.err.startswith(told)


def test_what_a_dead_tail_left_open_is_refined_by_the_next_run(
    cli: Cli, bundle: Path, tail: str, tmp_path: Path
) -> None:
    journal = tmp_path / "edge.journal"
    common = ("--refine", "--journal", journal, "--data", "digits", "--limit", 200, "--settle-s")
    before = cli("run", bundle, "--tail", "127.0.0.1:1", *common, 0)
    assert before.status == 0, before.err
    left = {line["id"] for line in of_kind(lines_of(before.out), "provisional")}
    assert len(left) > 5
    not_ready, kept, _ = before.err.splitlines()
    assert not_ready == "tail 127.0.0.1:1 is not ready; provisional answers wait for it"
    assert kept == (
        f"{len(left)} samples still wait for the tail; they are kept in {journal}, and the next run with it"
        " goes on"
    )
    after = cli("run", bundle, "--tail", tail, *common, 20)
    lines = lines_of(after.out)
    refined = {line["id"] for line in of_kind(lines, "refined")}
    own = {line["id"] for line in of_kind(lines, "provisional")}
    assert refined == left | own
    assert not left & own  # a run without ids gives none twice
    again = cli("run", bundle, "--tail", tail, *common[:3], "--data", "digits", "--limit", 1)
    assert left.isdisjoint(line["id"] for line in lines_of(again.out))


def test_without_a_journal_what_is_left_open_is_an_error(cli: Cli, bundle: Path) -> None:
    some = ("--data", "digits", "--limit", 200)
    outcome = cli("run", bundle, "--tail", "127.0.0.1:1", "--refine", *some, "--settle-s", 0)
    assert outcome.status == 1
    error = outcome.err.splitlines()[-1]
    assert " samples had no answer from the tail after 0 s more: tail 127.0.0.1:1 " in error
    assert error.endswith("; give --journal FILE to keep such for the next run, or a longer --settle-s")


def test_a_killed_run_loses_nothing_that_it_promised(
    started: Cli, cli: Cli, bundle: Path, tail: str, tmp_path: Path
) -> None:
    journal = tmp_path / "edge.journal"
    x, _ = load("digits").split("test")
    promised = set()
    with started("run", bundle, "--tail", "127.0.0.1:1", "--refine", "--journal", journal) as process:
        for i, sample in enumerate(x):
            process.stdin.write(json.dumps({"id": f"part-{i}", "sample": sample.tolist()}) + "\n")
            process.stdin.flush()
            line = json.loads(process.stdout.readline())
            if line["answer"] == "provisional":
                promised.add(line["id"])
            if len(promised) == 8:
                break
        process.send_signal(signal.SIGKILL)
    nothing = tmp_path / "one.npz"
    np.savez(nothing, x=x[:1], y=np.array([0]))
    after = cli(
        "run", bundle, "--tail", tail, "--refine", "--journal", journal, "--data", "digits", "--limit", 1
    )
    assert promised <= {line["id"] for line in of_kind(lines_of(after.out), "refined")}


def test_a_journal_that_cannot_be_written_leaves_answers_to_the_exit(
    cli: Cli, bundle: Path, tail: str, tmp_path: Path
) -> None:
    journal = tmp_path / "absent" / "edge.journal"
    outcome = cli(
        "run", bundle, "--tail", tail, "--refine", "--journal", journal, "--data", "digits", "--limit", 100
    )
    lines = lines_of(outcome.out)
    assert len(lines) == 100
    assert {line["answer"] for line in lines} == {"final"}
    left = [line for line in lines if line["source"] == "fallback"]
    assert left
    assert all("cannot be written" in line["reason"] for line in left)
    assert "the journal has stopped, answers go on from the exit: " in outcome.err


def test_a_full_side_buffer_is_told_on_the_line(cli: Cli, bundle: Path) -> None:
    arguments = ("run", bundle, "--tail", "127.0.0.1:1", "--refine", "--mode", "split", "--data", "digits")
    arguments = (*arguments, "--limit", 6, "--side-buffer", 4, "--settle-s", 0)
    refused = lines_of(cli(*arguments).out)
    assert [line["answer"] for line in refused] == ["provisional"] * 4 + ["final"] * 2
    assert "4 offloads of " in refused[-1]["reason"]
    dropped = lines_of(cli(*arguments, "--when-full", "drop-oldest").out)
    assert len(of_kind(dropped, "provisional")) == 6
    assert [line["reason"] for line in of_kind(dropped, "refined")] == [
        "dropped: the journal was full and newer samples came"
    ] * 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--journal", "x"], "--journal keeps what waits for a second answer; give --refine too"),
        (["--refine", "--mode", "local"], "mode 'local' asks no tail"),
        (["--refine", "--sync", "never"], "sync='never'; use one of full, normal"),
        (["--refine", "--when-full", "burn"], "when_full='burn'; use one of refuse, drop-oldest"),
    ],
)
def test_settings_that_cannot_be_are_one_line(
    cli: Cli, bundle: Path, arguments: list[str], words: str
) -> None:
    assert words in cli("run", bundle, "--tail", "h:1", *arguments).error
