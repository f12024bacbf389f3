"""A program that was built: run natively or under an emulator, in a folder of its own."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from offramp.errors import ToolchainError
from offramp.targets.emulator import command
from offramp.targets.scratch import scratch
from offramp.targets.target import Target


@dataclass(frozen=True)
class Counts:
    """What the intervals between `harness_start` and `harness_stop` took, in the target's unit."""

    n: int
    total: int
    minimum: int
    maximum: int

    @property
    def mean(self) -> float:
        return self.total / self.n


@dataclass(frozen=True)
class Run:
    """What a run gave.

    Args:
        output: all that `harness_write` was given.
        intervals: the count of every interval, in their order; none on a target that counts nothing.
        stack_bytes: how deep the stack went in the first interval; None where it was not measured.
    """

    output: bytes
    intervals: tuple[int, ...] = ()
    stack_bytes: int | None = None

    @property
    def counts(self) -> Counts | None:
        """The intervals in four numbers; None where none was counted."""
        if not self.intervals:
            return None
        return Counts(len(self.intervals), sum(self.intervals), min(self.intervals), max(self.intervals))


@dataclass(frozen=True)
class Object:
    """One compiled source, not linked; the compiler's statement of stack frames lies beside it."""

    target: Target
    elf: Path


@dataclass(frozen=True)
class Program:
    """A program for one target."""

    target: Target
    elf: Path

    def run(self, data: bytes = b"", *, timeout_s: float = 60.0, serial_port: int | None = None) -> Run:
        """What the program makes of the input.

        Args:
            serial_port: a TCP port of the loopback interface at which the program's serial port
                (`support/serial.h`) is a server; the program begins when somebody is connected.

        Raises:
            ConfigError: a serial port on a target that has none here.
            MissingDependencyError: the emulator is not installed.
            ToolchainError: the program hung, or ended with another status than 0; what was printed follows.
        """
        with scratch("offramp-run-") as folder:
            (folder / "input").write_bytes(data)
            self._finish(folder, timeout_s, serial_port)
            return Run(
                output=(folder / "output").read_bytes(),
                intervals=self._intervals(_content(folder / "counts")),
                stack_bytes=_number(_content(folder / "stack")),
            )

    def _finish(self, folder: Path, timeout_s: float, serial_port: int | None) -> None:
        on = f"on {self.target.name}"
        native = not self.target.emulator
        with (folder / "input").open("rb") as standard_input, (folder / "output").open("wb") as output:
            try:
                done = subprocess.run(
                    command(self.target, self.elf, serial_port=serial_port),
                    cwd=folder,
                    stdin=standard_input if native else subprocess.DEVNULL,
                    stdout=output if native else subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    timeout=timeout_s,
                )
            except subprocess.TimeoutExpired as expired:
                hung = f"the program did not end {on} within {timeout_s:g} s and was killed"
                raise ToolchainError(hung + _printed(expired.stderr)) from None
        if done.returncode != 0:
            raise ToolchainError(
                f"the program ended {on} with status {done.returncode}{_printed(done.stderr)}"
            )

    def _intervals(self, content: bytes) -> tuple[int, ...]:
        counted = (
            int.from_bytes(content[at : at + 8], "little", signed=True) for at in range(0, len(content), 8)
        )
        return tuple(round(count / self.target.counts_per_unit) for count in counted)


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _number(content: bytes) -> int | None:
    return int.from_bytes(content, "little") if content else None


def _printed(said: bytes | None) -> str:
    text = (said or b"").decode(errors="replace").strip()
    return f"; it printed:\n{text}" if text else ""
