"""Sends what a journal holds to the tail, in a thread, until everything has its outcome."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Callable, Sequence
from itertools import takewhile
from threading import Event, Thread
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.errors import (
    JournalError,
    PeerError,
    TailBusyError,
    TailRefusedError,
    TailUnreachableError,
    WireError,
)
from offramp.exits import max_softmax
from offramp.runtime.journal import Journal, Verdict
from offramp.runtime.refining.settings import RefiningSettings

logger = logging.getLogger(__name__)

REOPEN_EVERY_S = 2.0  # a journal that has failed
_LOOK_EVERY_S = 0.5  # for offloads that have waited too long, where there is such a limit
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # before what was refused is sent again


# What a tail says of a request whatever is in it; "" is a connection that was refused.
_OF_NO_SAMPLE = (
    "",
    "FAILED_PRECONDITION",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "UNIMPLEMENTED",
)


class Tail(Protocol):
    """What is asked; `TailClient` is one."""

    @property
    def retry_in_s(self) -> float: ...

    def scores(
        self, request: wire.InferRequest, *, n_rows: int, n_classes: int, deadline_s: float | None = None
    ) -> npt.NDArray[np.float32]: ...


class _Waiting(NamedTuple):
    """An offload that is to be sent, and its place in the order of appending."""

    number: int
    id: str
    request: wire.InferRequest


class Sender:
    """One request at a time, of all that gathered while the last one was under way.

    An offload whose request had no answer stays, and goes again as soon as the tail is there. Where a request
    is refused or its answer cannot be believed, its halves are sent: so one sample that the tail cannot bear
    holds up no others, and has to be refused `max_refusals` times, while others are answered, until it is
    given up. A tail that refuses everything is at fault itself: then nothing is given up.

    Args:
        journal: offloads, as `RefiningEdge` keeps them.
        n_classes: scores for each sample.
        told: called after outcomes were noted in the journal.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        journal: Journal,
        tail: Tail,
        *,
        n_classes: int,
        settings: RefiningSettings,
        told: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._tail = tail
        self._n_classes = n_classes
        self._settings = settings
        self._told = told
        self._clock = clock
        self._news, self._stopping = Event(), Event()
        self._ids = itertools.count(1)
        self._after = 0  # the number of the last offload that was tried in this round
        self._size = settings.max_batch
        self._n_answered = 0
        self.last_fault: PeerError | None = None
        """Of the last request, None where it was answered."""
        self._refusals: dict[str, tuple[int, int]] = {}  # how often, and `_n_answered` at the last one
        self._pause_s, self._again_at = _FIRST_PAUSE_S, 0.0
        self._thread = Thread(target=self._run, name="offramp-sender", daemon=True)

    def start(self) -> None:
        """Begins with what is pending already."""
        self._thread.start()

    def wake(self) -> None:
        """Something was appended, or the journal has failed."""
        self._news.set()

    def stop(self) -> None:
        """Sends no more."""
        self._stopping.set()
        self._news.set()

    def join(self) -> None:
        """Waits for the end, after `stop`; a request under way ends first, so close its client before."""
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()  # before looking: what comes from now on wakes us again
            try:
                wait_s = self.step()
            except JournalError as error:
                self._recover(str(error))
                continue
            if (out_s := self._tail.retry_in_s) > 0:  # no news changes that
                self._stopping.wait(min(out_s, self._longest_wait_s()))
            elif wait_s:
                self._news.wait(min(wait_s, self._longest_wait_s()))

    def _longest_wait_s(self) -> float:
        return _LOOK_EVERY_S if math.isfinite(self._settings.refine_within_s) else 3600.0

    def step(self) -> float:
        """One turn of the thread: sends once, if there is something; how long there is nothing to do then.

        Raises:
            JournalError: it has stopped; what was sent goes again once it works.
        """
        self._journal.counts()  # raises where it has stopped, also while nothing can be sent
        self._give_up_old()
        if self._tail.retry_in_s > 0:
            return 0.0
        batch = self._next()
        if not batch:
            waits = self._again_at - self._clock()
            return waits if self._after and waits > 0 else math.inf
        try:
            while batch:
                group = _group(batch)
                self._send(group)
                self._after = group[-1].number
                batch = batch[len(group) :]
        except (TailUnreachableError, TailBusyError) as error:
            self.last_fault = error
            self._size = max(1, self._size // 2)
        return 0.0

    def _next(self) -> list[_Waiting]:
        """What to send now: newer than what was tried last, or from the oldest on where that is allowed."""
        pending = self._journal.pending(self._size, after=self._after)
        if not pending and self._after and self._clock() >= self._again_at:
            self._after = 0
            pending = self._journal.pending(self._size)
        readable = list[_Waiting]()
        for number, entry in pending:
            try:
                readable.append(_Waiting(number, entry.id, wire.InferRequest.from_bytes(entry.request)))
            except WireError as error:  # of another version of this program
                self._give_up(entry.id, f"its request cannot be read: {error}")
        return self._next() if pending and not readable else readable

    def _send(self, batch: Sequence[_Waiting]) -> None:
        """Raises where the tail is not there, or busy; all else is dealt with."""
        if self._stopping.is_set():
            raise TailUnreachableError("this edge is being closed")
        request = wire.joined([one.request for one in batch], id=str(next(self._ids)))
        try:
            scores = self._tail.scores(
                request,
                n_rows=len(batch),
                n_classes=self._n_classes,
                deadline_s=self._settings.deadline_s,
            )
        except (TailUnreachableError, TailBusyError):
            raise
        except PeerError as error:
            if self._stopping.is_set():
                raise TailUnreachableError("this edge is being closed") from error
            if len(batch) == 1 or _is_of_no_sample(error):
                self._refused([one.id for one in batch], error)
                return
            half = len(batch) // 2
            self._send(batch[:half])
            self._send(batch[half:])
        else:
            self._answered([one.id for one in batch], scores)

    def _answered(self, ids: Sequence[str], scores: npt.NDArray[np.float32]) -> None:
        verdicts = map(Verdict, scores.argmax(axis=1).tolist(), max_softmax(scores).tolist())
        self._journal.refine_many(dict(zip(ids, verdicts, strict=True)))
        self._n_answered += len(ids)
        self.last_fault = None
        self._size = min(self._settings.max_batch, 2 * self._size)
        self._pause_s = _FIRST_PAUSE_S
        for id in ids:
            self._refusals.pop(id, None)
        self._told()

    def _refused(self, ids: Sequence[str], error: PeerError) -> None:
        self.last_fault = error
        for id in ids:
            n, n_answered = self._refusals.get(id, (0, -1))
            n += self._n_answered > n_answered
            self._refusals[id] = n, self._n_answered
            if n >= self._settings.max_refusals:
                self._give_up(id, f"refused {n} times: {error}")
        if self._pause_s == _FIRST_PAUSE_S:  # the first since something was answered
            logger.info("refused, and sent again later: %s", error)
        self._again_at = self._clock() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _give_up(self, id: str, reason: str) -> None:
        self._refusals.pop(id, None)
        self._journal.give_up(id, reason)
        self._told()

    def _give_up_old(self) -> None:
        limit_s = self._settings.refine_within_s
        if not math.isfinite(limit_s):
            return
        now = self._clock()
        while old := list(
            takewhile(lambda pending: now - pending.entry.created_s > limit_s, self._journal.pending())
        ):
            for pending in old:
                self._give_up(pending.entry.id, f"no answer within {limit_s:g} s")

    def _recover(self, failure: str) -> None:
        """After a failure of the journal: tells of it, and tries until it works again."""
        logger.warning("the journal has stopped, answers go on from the exit: %s", failure)
        while not self._stopping.wait(REOPEN_EVERY_S):
            try:
                self._journal.reopen()
            except JournalError as error:
                if str(error) != failure:
                    failure = str(error)
                    logger.warning("the journal is still stopped: %s", failure)
                continue
            logger.warning("the journal works again")
            self._told()
            return


def _group(batch: Sequence[_Waiting]) -> Sequence[_Waiting]:
    """The first of a batch, as many as may go in one request."""
    first = batch[0].request
    return list(takewhile(lambda one: wire.goes_with(first, one.request), batch))


def _is_of_no_sample(error: PeerError) -> bool:
    """Whether every other sample would be refused like this one."""
    return isinstance(error, TailRefusedError) and error.status in _OF_NO_SAMPLE
