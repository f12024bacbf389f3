"""Outcomes from the journal to the application: in order, and again until they are acknowledged."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Condition, Lock

from offramp.errors import ConfigError, JournalError
from offramp.runtime.journal import Journal, Refinement
from offramp.runtime.refining.refined import Refined

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # before an application that raised is told again


class Handover:
    """Gives the outcomes in a journal to one reader.

    Args:
        classes: a name for each class number.
        failed: called where the journal has failed; whoever makes it work again calls `look`.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        journal: Journal,
        classes: Sequence[str],
        *,
        failed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._classes = classes
        self._failed = failed
        self._clock = clock
        self._news = Condition()
        self._n_looks = 0
        self._ended = self._dropped = False
        self._reader = Lock()
        self._done = list[str]()  # with the application, and not yet noted in the journal

    def look(self) -> None:
        """Something in the journal has changed."""
        with self._news:
            self._n_looks += 1
            self._news.notify_all()

    def end(self, *, at_once: bool = False) -> None:
        """Whoever reads gets what is known now, and then the end; or nothing more than it has, `at_once`."""
        with self._news:
            self._ended = True
            self._dropped = at_once
            self._news.notify_all()

    def outcomes(self, timeout_s: float | None) -> Iterator[Refined]:
        """See `RefiningEdge.refinements`."""
        if not self._reader.acquire(blocking=False):
            raise ConfigError("refinements are read elsewhere already; read them in one place")
        after = 0
        try:
            while True:
                n_looks = self._n_looks
                known = self._undelivered(after)
                for outcome in known:
                    after = outcome.number
                    yield Refined.of(outcome, self._classes, self._clock())
                    self._acknowledge(outcome.id)
                if not known and not self._wait(n_looks, timeout_s):
                    return
        finally:
            self._reader.release()

    def tell(self, application: Callable[[Refined], object]) -> None:
        """Calls the application with each outcome, until the end."""
        for outcome in self.outcomes(None):
            pause_s = _FIRST_PAUSE_S
            while not self._told(application, outcome):
                with self._news:
                    if self._news.wait_for(lambda: self._ended, pause_s):
                        return  # not acknowledged, so the next process has it
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            if self._dropped:
                return

    def settled(self, timeout_s: float, *, handed_over: bool) -> bool:
        """See `RefiningEdge.settle`."""
        until = time.monotonic() + timeout_s
        while True:
            n_looks = self._n_looks
            try:
                counts = self._journal.counts()
            except JournalError:
                return False
            if not counts.pending and not (handed_over and counts.undelivered):
                return True
            if not self._wait(n_looks, until - time.monotonic()):
                return False

    def _told(self, application: Callable[[Refined], object], outcome: Refined) -> bool:
        try:
            application(outcome)
        except Exception:
            logger.exception("on_refined failed on sample %r; it is called again", outcome.id)
            return False
        return True

    def _undelivered(self, after: int) -> list[Refinement]:
        try:
            self._acknowledge()
            return self._journal.undelivered(after=after)
        except ConfigError:  # closed: what is not acknowledged comes after the next start
            return []
        except JournalError:
            self._failed()
            return []

    def _acknowledge(self, *ids: str) -> None:
        """Notes that these are with the application; later, where the journal has failed."""
        self._done += ids
        if not self._done:
            return
        try:
            self._journal.delivered(*self._done)
        except ConfigError:
            return
        except JournalError:
            self._failed()
            return
        self._done.clear()
        self.look()

    def _wait(self, n_looks: int, timeout_s: float | None) -> bool:
        """Until something changed after `n_looks`; False at the end, or after the timeout."""
        with self._news:
            if self._n_looks != n_looks:
                return True
            if self._ended:
                return False
            return self._news.wait_for(lambda: self._ended or self._n_looks != n_looks, timeout_s)
