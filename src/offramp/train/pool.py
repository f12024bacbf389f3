"""Many pieces of work at once, each in a process of its own: one for each core."""

import logging
import math
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

from offramp.errors import ConfigError, OfframpError, PeerError
from offramp.train.overview import OverviewBar
from offramp.train.progress import Watch
from offramp.train.threads import torch_threads
from offramp.train.worker import (
    Done,
    Failed,
    Log,
    Message,
    Progress,
    Reporter,
    Script,
    check_not_in_script,
    pack,
    unpack,
)

T = TypeVar("T")

START_S = 2.5  # until a worker trains: it imports Torch and, with the first optimizer, Torch's compiler
_GRACE_S = 10.0  # for workers to finish their step and save
_REFRESH_S = 0.2
# Threads that NumPy and OpenMP would start for every worker.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Not `-m`: the worker finds modules where the parent does, and runs nothing of the parent's script.
_COMMAND = (
    "import sys; sys.path[:] = sys.argv[2:]; from offramp.train.worker import main; main(int(sys.argv[1]))"
)


@dataclass(frozen=True, eq=False)
class Work(Generic[T]):
    """Something for a worker to do.

    Args:
        name: what messages call it.
        call: takes what all works share, and a `Watch` for `fit`'s `progress`. It travels to the worker and
            its result back, so both can be pickled: functions of modules, `functools.partial`, no lambdas.
        expected_s: how long it takes on one core, roughly. It weighs the work in the bar, and where all of it
            is less than the start of workers costs, none are started.
    """

    name: str
    call: Callable[[Any, Watch], T]
    expected_s: float = 60.0


def run_each(
    works: Sequence[Work[T]],
    shared: Any = None,
    *,
    workers: int | None = None,
    threads: int = 1,
    progress: bool = True,
) -> Generator[tuple[int, T], None, None]:
    """The position and the result of each piece of work, as they are done.

    The first error ends it all: other works are stopped between two of their training steps, their
    checkpoints saved, and the error is raised with the name of the work. The same happens at Ctrl-C, and when
    the caller closes the iterator (`contextlib.closing` does it in time). If this process is killed, the
    workers notice, save, and end.

    Args:
        shared: given to every work; it travels to each worker once.
        workers: processes; None for one on each core, or fewer where the work is not worth their start. With
            1 everything runs in this process.
        threads: Torch's, in each worker.
        progress: show one bar over all works, with the time left, if stderr is a terminal.

    A worker takes about 2.5 s to start (`START_S`), at the same time as the others, and 350 MB of memory
    beside `shared` and the work itself. The caller's script is run by a worker only if the work refers to
    classes or functions of it; then the script needs its `if __name__ == "__main__":`.

    Raises:
        ConfigError: works that cannot be told apart, or cannot travel.
        PeerError: a worker was killed.
    """
    check_not_in_script()
    twice = [name for name, n in Counter(work.name for work in works).items() if n > 1]
    if twice:
        raise ConfigError(f"{twice[0]!r} names two works; give each a name of its own")
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigError(f"{name}={value} must be at least 1")
    n_workers = min(workers or _worthwhile(works, threads), len(works))
    bar = OverviewBar([work.expected_s for work in works], shown=progress)
    if n_workers < 2:
        return _run_here(works, shared, threads, bar)
    return _run_in_workers(works, shared, n_workers, threads, bar)


def n_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _worthwhile(works: Sequence[Work[T]], threads: int) -> int:
    expected_s = sum(work.expected_s for work in works)
    return max(1, min(n_cores() // threads, math.floor(min(expected_s / START_S, len(works)))))


def _run_here(
    works: Sequence[Work[T]], shared: Any, threads: int, bar: OverviewBar
) -> Generator[tuple[int, T], None, None]:
    for index, work in enumerate(works):
        try:
            with torch_threads(threads):
                result = work.call(shared, Reporter(partial(_show, bar, index, work.name)))
        except OfframpError as error:
            raise _named(error, work.name) from error
        except Exception as error:
            error.add_note(f"In {work.name!r}.")
            raise
        finally:
            bar.hide()
        bar.done(index)
        yield index, result


def _run_in_workers(
    works: Sequence[Work[T]], shared: Any, n_workers: int, threads: int, bar: OverviewBar
) -> Generator[tuple[int, T], None, None]:
    parcels = _parcels(works)
    first = list(islice(parcels, n_workers))  # before any process is started: what cannot travel fails here
    with _crew(n_workers, shared, threads) as crew:
        for worker, parcel in zip(crew, first, strict=True):
            worker.take(parcel)
        del first
        try:
            yield from _results(crew, parcels, bar)
        finally:
            bar.hide()


def _results(
    crew: Sequence["_Worker"], parcels: Iterator["_Parcel"], bar: OverviewBar
) -> Generator[tuple[int, Any], None, None]:
    while lines := {worker.line: worker for worker in crew if worker.busy}:
        bar.refresh()
        for line in wait(list(lines), timeout=_REFRESH_S):
            worker = lines[line]  # type: ignore[index]
            index, name = worker.index, worker.name
            match worker.hear():
                case Done(packed):
                    worker.take(next(parcels, None))  # before the caller has a look at the result
                    bar.done(index)
                    bar.hide()
                    yield index, unpack(packed)
                case Failed(error, trace):
                    named = _named(error, name) if isinstance(error, OfframpError) else error
                    named.add_note(f"In {name!r}, in a worker:\n{trace}")
                    raise named
                case message:
                    _show(bar, index, name, message)


def _show(bar: OverviewBar, index: int, name: str, message: Message) -> None:
    match message:
        case Progress(share, begins=True):
            bar.begin(index, share)
        case Progress(share, accuracy=accuracy):
            bar.advance(index, share, name if accuracy is None else f"{name}: validation {accuracy:.2%}")
        case Log(logger, level, text):
            bar.hide()
            logging.getLogger(logger).log(level, "%s: %s", name, text)


def _named(error: OfframpError, name: str) -> OfframpError:
    return type(error)(f"{name}: {error}")


# --- Processes --------------------------------------------------------------------------------------------


_Parcel = tuple[int, str, memoryview]  # position and name of a work, and the work as it travels


class _Worker:
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

    def take(self, parcel: _Parcel | None) -> None:
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
def _crew(n: int, shared: Any, threads: int) -> Iterator[list[_Worker]]:
    """Workers that know what is shared; none is left when the block ends."""
    setup = pickle.dumps((threads, _script()))
    packed = _packed(shared, "what the works share")
    crew: list[_Worker] = []
    try:
        while len(crew) < n:
            crew.append(_Worker(threads))
        for worker in crew:
            worker.send(setup)
            worker.send(packed)
        del packed
        yield crew
    finally:
        _dismiss(crew)


def _dismiss(crew: Sequence[_Worker]) -> None:
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


def _parcels(works: Sequence[Work[Any]]) -> Iterator[_Parcel]:
    for index, work in enumerate(works):
        yield index, work.name, _packed(work.call, work.name)


def _packed(content: Any, name: str) -> memoryview:
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
