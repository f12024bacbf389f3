"""Many pieces of work at once: results, errors, and nothing left behind."""

import importlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from offramp.data import Dataset
from offramp.errors import ConfigError, PeerError
from offramp.train import Pool, Watch, Work, run_each
from offramp.train.pool import n_cores


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of that name, where workers find it too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("works")


@pytest.fixture
def no_workers_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    started = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            started.append(self)
            super().__init__(*arguments, **settings)

    monkeypatch.setattr("offramp.train.crew.subprocess.Popen", Popen)
    yield
    assert len(started) == 2
    assert all(worker.returncode is not None for worker in started)


def _times(n: int, shared: int, watch: Watch) -> int:
    return n * shared


# --- In this process --------------------------------------------------------------------------------------


def test_one_worker_is_this_process_and_needs_no_pickle() -> None:
    works = [Work(str(n), lambda shared, _, n=n: (n * shared, os.getpid())) for n in range(3)]
    assert list(run_each(works, 10, workers=1)) == [(n, (10 * n, os.getpid())) for n in range(3)]


def test_little_work_is_not_worth_a_worker() -> None:
    works = [Work(str(n), lambda *_: os.getpid(), expected_s=0.6) for n in range(4)]
    assert dict(run_each(works)) == dict.fromkeys(range(4), os.getpid())


def test_no_work_is_soon_done() -> None:
    assert list(run_each([])) == []


def test_the_works_have_their_threads_and_the_caller_his() -> None:
    torch.set_num_threads(2)
    works = [Work(str(n), lambda *_: torch.get_num_threads()) for n in range(2)]
    for _, threads in run_each(works, workers=1, threads=1):
        assert threads == 1
        assert torch.get_num_threads() == 2


def test_an_error_is_named_after_its_work_and_keeps_its_kind(works: Any) -> None:
    with pytest.raises(ConfigError, match=r"^second: width=3 is odd$"):
        list(run_each([Work("first", partial(_times, 2)), Work("second", works.refuse)], 1, workers=1))
    with pytest.raises(works.OwnError) as caught:
        list(run_each([Work("second", works.fail)], workers=1))
    assert str(caught.value) == "this and that"
    assert caught.value.__notes__ == ["In 'second'."]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"workers": 0}, "workers=0 must be at least 1"),
        ({"threads": 0}, "threads=0 must be at least 1"),
    ],
    ids=str,
)
def test_no_workers_or_threads_are_refused(settings: dict[str, int], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        run_each([Work("a", partial(_times, 2))], **settings)  # before the first result is asked for


def test_two_works_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="'a' names two works; give each a name of its own"):
        run_each(
            [Work("a", partial(_times, 2)), Work("b", partial(_times, 2)), Work("a", partial(_times, 3))]
        )


def test_the_cores_are_those_of_this_process() -> None:
    everywhere = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(everywhere)})
        assert n_cores() == 1
    finally:
        os.sched_setaffinity(0, everywhere)


# --- In workers -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_workers_left")
def test_workers_get_what_is_shared_once_and_tell_what_they_log(
    works: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "offramp")
    three = [Work(name, works.look_around) for name in "abc"]
    with closing(run_each(three, works.Shared("tea"), workers=2)) as runs:
        results = dict(runs)
    assert sorted(results) == [0, 1, 2]
    pids, arrivals, threads, contents = zip(*results.values(), strict=True)
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    assert (set(arrivals), set(threads), set(contents)) == ({1}, {1}, {"tea"})
    assert sorted(caplog.messages) == ["a: looks around", "b: looks around", "c: looks around"]
    out, err = capfd.readouterr()
    assert (out, err) == ("", "not for standard output\n" * 3)


def _moment(folder: Path) -> dict[str, Any]:
    """Where the checkpoint stands, read without our own reader."""
    content = (folder / "checkpoint.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    progress: dict[str, Any] = json.loads(header["__metadata__"]["story"])["progress"]
    return progress


def test_workers_stay_for_the_next_call_and_are_started_anew_after_an_error(works: Any) -> None:
    def who(n: int) -> set[tuple[int, int, int, str]]:
        todo = [Work(str(i), works.look_around) for i in range(n)]
        return {result for _, result in pool.run_each(todo)}

    with Pool(works.Shared("a word"), workers=2) as pool:
        first = who(6)
        assert who(1) < first  # a single work too
        assert who(6) == first
        with pytest.raises(RuntimeError, match="OwnError: this and that"):
            list(pool.run_each([Work("bad", works.fail)]))
        later = who(6)
        assert {arrivals for _, arrivals, *_ in later} == {1}
        assert not later & first
        runs = pool.run_each([Work(str(i), works.look_around) for i in range(9)])
        next(runs)
        runs.close()
        assert not who(6) & later


@pytest.mark.usefixtures("no_workers_left")
def test_the_first_error_stops_the_others_once_they_are_saved(
    works: Any, blobs: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "endless"
    pair = [
        Work("endless", partial(works.train_for_ever, folder)),
        Work("bad", partial(works.fail_beside, folder)),
    ]
    with pytest.raises(RuntimeError) as caught:
        list(run_each(pair, blobs, workers=2))
    assert str(caught.value) == "OwnError: this and that"
    (note,) = caught.value.__notes__
    assert note.startswith("In 'bad', in a worker:\nTraceback ")
    assert "in fail_beside\n" in note
    assert _moment(folder)["batch"] > 0, "saved at the end of an epoch, not when it was stopped"


@pytest.mark.usefixtures("no_workers_left")
def test_a_killed_worker_is_one_line_and_a_deaf_one_is_not_waited_for(
    works: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.train.crew._GRACE_S", 0.2)
    with pytest.raises(PeerError) as killed:
        list(run_each([Work("doomed", works.die), Work("deaf", works.sleep)], workers=2))
    assert str(killed.value) == (
        "doomed: its process was killed by SIGKILL; if the system did it for want of memory, use fewer"
        " workers; called again, what has a checkpoint goes on"
    )


@pytest.mark.parametrize(
    ("call", "shared"), [(lambda *_: None, 1), (partial(_times, 2), lambda: 1)], ids=["work", "shared"]
)
def test_what_cannot_travel_is_found_before_a_worker_is_started(
    monkeypatch: pytest.MonkeyPatch, call: Any, shared: Any
) -> None:
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a worker was started"))
    with pytest.raises(ConfigError, match=r"cannot be sent to a worker: .*; use functions and classes of a"):
        list(run_each([Work("a", partial(_times, 2)), Work("b", call)], shared, workers=2))


FLAT_SCRIPT = """
from works import Shared, look_around
from offramp.train import Work, run_each

print(sorted(dict(run_each([Work(name, look_around) for name in "ab"], Shared("tea"), workers=2))))
"""


def test_a_script_without_a_guard_may_use_workers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(FLAT_SCRIPT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("[0, 1]\n", 0), done.stderr
