"""The processes of a pool, seen from the parent: started, fed, heard, and gone at the end."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from typing import Any

from offramp.errors import ConfigError, PeerError
from offramp.train.worker import Message, Script, pack

_GRACE_S = 10.0  # for workers to finish their step and save
# Threads that NumPy and OpenMP would start for every worker.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Not `-m`: the worker finds modules where the parent does, and runs nothing of the parent's script.
_COMMAND = (
    "import sys; sys.path[:] = sys.argv[2:]; from offramp.train.worker import main; main(int(sys.argv[1]))"
)

Parcel = tuple[int, str, memoryview]  # position and name of a work, and the work as it travels


class Member:
    """A process with a line to it, and the work that it has in hand."""

    def __init__(self, threads: int) -> None:
        self.line, theirs = Pipe()
        self.busy, self.index, self.name = False, -1, "a worker"
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND, str(theirs.fileno()), *map(str, sys.path)],
                env=os.environ | dict.fromkeys(_THREADS, str(threads)),
                stdin=subprocess.DEVNULL,
                stdout=2,  # what the work prints must not get among this program's answers
                pass_fds=[theirs.fileno()],
                process_group=0,  # the terminal's Ctrl-C is for us alone; then we hang up
            )

    def take(self, parcel: Parcel | None) -> None:
        """Start on the next work, or rest."""
        self.busy = parcel is not None
        if parcel is not None:
            self.index, self.name, content = parcel
            self.send(content)

    def send(self, content: bytes | memoryview) -> None:
        try:
            self.line.send_bytes(content)
        except ConnectionError:
            raise self._gone() from None

    def hear(self) -> Message:
        try:
            content = self.line.recv_bytes()
        except (EOFError, ConnectionError):
            raise self._gone() from None
        message: Message = pickle.loads(content)
        return message

    def _gone(self) -> PeerError:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_GRACE_S)
        status = self.process.returncode
        if status is not None and status < 0:
            cause = f"was killed by {signal.Signals(-status).name}"
            advice = "if the system did it for want of memory, use fewer workers"
        else:
            cause = f"ended with status {status}"
            advice = "what it printed says why"
        return PeerError(
            f"{self.name}: its process {cause}; {advice}; called again, what has a checkpoint goes on"
        )


@contextmanager
def crew_of(n: int, shared: Any, threads: int) -> Iterator[list[Member]]:
    """Workers that know what is shared; none is left when the block ends."""
    setup = pickle.dumps((threads, _script()))
    parcel = packed(shared, "what the works share")
    crew: list[Member] = []
    try:
        while len(crew) < n:
            crew.append(Member(threads))
        for worker in crew:
            worker.send(setup)
            worker.send(parcel)
        del parcel
        yield crew
    finally:
        _dismiss(crew)


def _dismiss(crew: Sequence[Member]) -> None:
    """Hang up, give the workers time to save, and see that all are gone."""
    for worker in crew:
        worker.line.close()
    deadline = time.monotonic() + _GRACE_S
    try:
        for worker in crew:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, deadline - time.monotonic()))
    finally:  # also at a second Ctrl-C
        for worker in crew:
            worker.process.kill()
            worker.process.wait()


def packed(content: Any, name: str) -> memoryview:
    """The content as it travels; the name says whose it is where it cannot."""
    try:
        return pack(content)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConfigError(
            f"{name}: cannot be sent to a worker: {error}; use functions and classes of a module, no lambdas,"
            " or workers=1"
        ) from error


def _script() -> Script:
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return Script(module=main.__spec__.name)
    path = getattr(main, "__file__", None)
    return Script(path=os.path.abspath(path) if path else "")
