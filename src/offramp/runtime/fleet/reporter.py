"""Sends an edge's reports, in a thread that no answer waits for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Literal, Self

from offramp.errors import ConfigError, OfframpError
from offramp.wire import EdgeReport

logger = logging.getLogger(__name__)

REPORT_EVERY_S = 10.0
_ASK_AGAIN_S = 600.0  # a server that takes no reports: another may take its place

_Fate = Literal["arrived", "lost", "unwanted"]


class Reporter:
    """Sends a report at once, then now and then, and a last one when closed; a context manager.

    A report that is lost is not sent again: the next one holds all that it held.

    Args:
        report: gives it; the argument says whether it is the last.
        send: hands it to the server, in bounded time; False where the server takes none.
        every_s: seconds between two reports.

    Raises:
        ConfigError: `every_s` outside its range.
    """

    def __init__(
        self,
        report: Callable[[bool], EdgeReport],
        send: Callable[[bytes], bool],
        *,
        every_s: float = REPORT_EVERY_S,
    ) -> None:
        if not 0 < every_s <= 3600:
            raise ConfigError(f"report_every_s={every_s}; use a number of seconds above 0, at most 3600")
        self._report = report
        self._send = send
        self._every_s = every_s
        self._closing = Event()
        self._told = set[_Fate]()
        self.n_lost = 0
        self._thread = Thread(target=self._run, name="offramp-reports", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sends the last report, unless the one before failed, and ends; closing twice is fine."""
        self._closing.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        fate = self._deliver(last=False)
        while not self._closing.wait(_ASK_AGAIN_S if fate == "unwanted" else self._every_s):
            fate = self._deliver(last=False)
        if fate == "arrived":  # else closing would wait for a server that is not there
            self._deliver(last=True)

    def _deliver(self, *, last: bool) -> _Fate:
        try:
            if self._send(self._report(last).to_bytes()):
                return "arrived"
        except OfframpError as error:
            self.n_lost += 1
            self._tell_once("lost", f"reports do not reach the tail, which answers do not wait for: {error}")
            return "lost"
        self._tell_once("unwanted", "the tail takes no reports, so this edge sends none")
        return "unwanted"

    def _tell_once(self, fate: _Fate, text: str) -> None:
        if fate not in self._told:
            self._told.add(fate)
            logger.warning("%s", text)
