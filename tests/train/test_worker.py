"""What a worker makes of its parent's script, and of errors; in this process, with a script of our own."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offramp.errors import ConfigError
from offramp.train import run_each, worker
from offramp.train.history import Epoch
from offramp.train.worker import Message, Progress, Reporter, Script

SCRIPT = """
from offramp.train import Work, run_each

class Own:
    x = 3

{guard}run_each([Work("a", print)])
"""


@pytest.fixture
def parcel(monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """An instance of __main__.Own as the parent sends it; here there is no such class."""
    main = ModuleType("__main__")
    main.Own = type("Own", (), {"__module__": "__main__"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "__main__", main)
    content = bytes(worker.pack(main.Own()))
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    monkeypatch.setitem(sys.modules, "__mp_main__", ModuleType("__main__"))
    monkeypatch.setattr(worker, "_ran_script", False)
    yield content
    assert not worker._running_script


def test_a_guarded_script_gives_its_classes(tmp_path: Path, parcel: bytes) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(guard='if __name__ == "__main__": '), encoding="utf-8")
    own = worker.unpack(parcel, Script(path=str(path)))
    assert own.x == 3
    assert type(worker.unpack(parcel, Script(path=str(path)))) is type(own)  # it ran once
    assert worker.unpack(bytes(worker.pack(own))).x == 3  # on its way back


def test_a_module_that_runs_gives_its_classes(
    tmp_path: Path, parcel: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").write_text("class Own:\n    x = 4\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert worker.unpack(parcel, Script(module="program")).x == 4


def test_a_script_that_would_start_workers_of_its_own_is_told_to_guard(tmp_path: Path, parcel: bytes) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(guard=""), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        worker.unpack(parcel, Script(path=str(path)))
    assert str(caught.value) == (
        "the script was run again by a worker, which looks for a class or function of it, and would train"
        ' once more; put the call under `if __name__ == "__main__":`, or the class into a module'
    )
    assert list(run_each([])) == []  # the rule ended with the script


def test_a_class_of_a_notebook_is_refused(parcel: bytes) -> None:
    with pytest.raises(ConfigError, match=r"Own is defined in a notebook .*; put it into a module, or use"):
        worker.unpack(parcel, Script())


class _PickyError(Exception):
    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


@pytest.mark.parametrize(
    ("error", "travels_as"),
    [
        (ConfigError("a=1 is odd"), ConfigError("a=1 is odd")),
        (OSError(28, "No space left on device", "/x"), OSError(28, "No space left on device", "/x")),
        (_PickyError("this", "that"), RuntimeError("_PickyError: this and that")),
        (SystemExit(3), RuntimeError("SystemExit: 3")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_travels_as_itself_or_in_words(error: BaseException, travels_as: Exception) -> None:
    portable: Any = worker._portable(error)
    assert (type(portable), str(portable)) == (type(travels_as), str(travels_as))


def test_steps_are_reported_ten_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.05, 0.11, 0.12, 0.3])
    monkeypatch.setattr("offramp.train.worker.time.monotonic", lambda: next(times))
    told: list[Message] = []
    reporter = Reporter(told.append)
    reporter.begin(n_done=10, n_steps=20, fused=True)
    for n_done in range(11, 15):
        reporter.step(n_done, 0.5)
    reporter.epoch(Epoch(1, 0.5, None, 0.75, 1e-3, 1.0))
    reporter.step(15, 0.5)
    assert told == [
        Progress(0.5, begins=True),
        Progress(0.55),
        Progress(0.65),
        Progress(0.75, accuracy=0.75),
    ]
