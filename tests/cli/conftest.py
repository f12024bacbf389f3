import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from offramp.cli import main

ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("FORCE_COLOR", "OFFRAMP_DATA_DIR")}


class Outcome(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of a command that failed."""
        assert self.status != 0
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1
        assert self.err.endswith("\n")
        return self.err.removeprefix("error: ").removesuffix("\n")


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command in this process."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return Outcome(status, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def offramp() -> Callable[..., Outcome]:
    """Runs a command in a process of its own."""

    def run(*arguments: object, stdin: str = "", cwd: Path | None = None) -> Outcome:
        return _finished("-m", "offramp", *map(str, arguments), stdin=stdin, cwd=cwd)

    return run


@pytest.fixture(scope="session")
def python() -> Callable[[str], Outcome]:
    """Runs Python code in a process of its own."""
    return lambda code: _finished("-c", code)


def _finished(*arguments: str, stdin: str = "", cwd: Path | None = None) -> Outcome:
    done = subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


Process = subprocess.Popen[str]


@pytest.fixture(scope="session")
def started() -> Callable[..., AbstractContextManager[Process]]:
    """Starts a command in a process of its own, and kills it at the end if it is still there."""
    return _started


@contextmanager
def _started(*arguments: object) -> Iterator[Process]:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-m", "offramp", *map(str, arguments)],
        env=ENVIRONMENT,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small trained network for digits; tests only read it."""
    path = tmp_path_factory.mktemp("cli") / "digits.bundle"
    widths = ("--neurons", "64,16,32,10", "--out-degrees", "4,full,full")
    assert main(["train", "-o", str(path), *widths, "--epochs", "20", "--json"]) == 0
    return path


@pytest.fixture(scope="session")
def tail(bundle: Path) -> Iterator[str]:
    """The address of a tail that serves the bundle."""
    with _started("serve", bundle, "--port", 0, "--json") as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        yield f"{announced['host']}:{announced['port']}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
