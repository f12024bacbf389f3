"""Many pieces of work at once, each in a process of its own: one for each core."""

import logging
import math
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing.connection import wait
from typing import Any, Generic, Self, TypeVar

from offramp.errors import ConfigError, OfframpError
from offramp.train.crew import Member, Parcel, crew_of, packed
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
    check_not_in_script,
    unpack,
)

T = TypeVar("T")

START_S = 2.0  # until a worker trains, most of it the import of Torch
_REFRESH_S = 0.2


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

    A worker takes 2 s to start (`START_S`; measured on two cores), at the same time as the others, and 150 MB
    of memory of its own beside the work and `shared`, of which it has two copies more while it starts. The
    caller's script is run by a worker only if the work refers to classes or functions of it; then the script
    needs its `if __name__ == "__main__":`.

    Raises:
        ConfigError: works that cannot be told apart, or cannot travel.
        PeerError: a worker was killed.
    """
    pool = Pool(shared, workers=workers, threads=threads)
    return with_owner(pool, pool.run_each(works, progress=progress))


class Pool:
    """Workers that stay for several calls of `run_each`; they start at the first that is worth it.

    An error, Ctrl-C and a closed iterator end them as they do in `run_each`; a later call starts new ones.

    Args:
        shared, workers, threads: as in `run_each`.
    """

    def __init__(self, shared: Any = None, *, workers: int | None = None, threads: int = 1) -> None:
        for name, value in (("workers", workers), ("threads", threads)):
            if value is not None and value < 1:
                raise ConfigError(f"{name}={value} must be at least 1")
        self._shared, self._workers, self._threads = shared, workers, threads
        self._stack, self._crew = ExitStack(), list[Member]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        self._crew = []
        self._stack.close()

    def run_each(
        self, works: Sequence[Work[T]], *, progress: bool = True
    ) -> Generator[tuple[int, T], None, None]:
        """As the function of this name does it."""
        check_not_in_script()
        twice = [name for name, n in Counter(work.name for work in works).items() if n > 1]
        if twice:
            raise ConfigError(f"{twice[0]!r} names two works; give each a name of its own")
        n_workers = min(self._workers or _worthwhile(works, self._threads), len(works))
        bar = OverviewBar([work.expected_s for work in works], shown=progress)
        if n_workers < 2 and not self._crew:
            return _run_here(works, self._shared, self._threads, bar)
        return self._run_in_workers(works, n_workers, bar)

    def _run_in_workers(
        self, works: Sequence[Work[T]], n_workers: int, bar: OverviewBar
    ) -> Generator[tuple[int, T], None, None]:
        parcels = _parcels(works)
        # Before any process is started: what cannot travel fails here.
        first = list(islice(parcels, len(self._crew) or n_workers))
        if not self._crew:
            self._crew = self._stack.enter_context(crew_of(n_workers, self._shared, self._threads))
        crew = self._crew
        try:
            for worker, parcel in zip(crew, first, strict=False):
                worker.take(parcel)
            del first
            yield from _results(crew, parcels, bar)
        finally:
            bar.hide()
            if any(worker.busy for worker in crew):
                self.close()


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


def with_owner(
    owner: AbstractContextManager[Any], runs: Generator[T, None, None]
) -> Generator[T, None, None]:
    """What an iterator gives, whose owner is left when it ends."""
    with owner, closing(runs):
        yield from runs


def _results(
    crew: Sequence[Member], parcels: Iterator[Parcel], bar: OverviewBar
) -> Generator[tuple[int, Any], None, None]:
    while lines := {worker.line: worker for worker in crew if worker.busy}:
        bar.refresh()
        for line in wait(list(lines), timeout=_REFRESH_S):
            worker = lines[line]  # type: ignore[index]
            index, name = worker.index, worker.name
            match worker.hear():
                case Done(result):
                    worker.take(next(parcels, None))  # before the caller has a look at the result
                    bar.done(index)
                    bar.hide()
                    yield index, unpack(result)
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


def _parcels(works: Sequence[Work[Any]]) -> Iterator[Parcel]:
    for index, work in enumerate(works):
        yield index, work.name, packed(work.call, work.name)
