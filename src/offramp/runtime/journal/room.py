"""How much a journal may hold, and what goes when it is full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from offramp.errors import ConfigError, JournalFullError
from offramp.runtime.journal.table import Table

WhenFull = Literal["refuse", "drop-oldest"]
WHEN_FULL: tuple[WhenFull, ...] = get_args(WhenFull)


@dataclass(frozen=True, slots=True)
class Room:
    """The bounds of a journal, as `Journal` explains them.

    Raises:
        ConfigError: a setting out of range.
    """

    max_pending: int
    max_pending_bytes: int
    when_full: WhenFull

    def __post_init__(self) -> None:
        if self.when_full not in WHEN_FULL:
            raise ConfigError(f"when_full={self.when_full!r}; use one of {', '.join(WHEN_FULL)}")
        for name, value in (("max_pending", self.max_pending), ("max_pending_bytes", self.max_pending_bytes)):
            if value < 1:
                raise ConfigError(f"{name}={value}; use 1 or more")

    def make(self, table: Table, n_new: int, n_bytes: int) -> int:
        """Gives up as many old offloads as `n_new` of `n_bytes` together need; how many that were.

        Raises:
            JournalFullError: `when_full` is "refuse", the application does not acknowledge, or the new ones
                have no room even alone.
        """
        tally, n_dropped = table.tally, 0
        if n_new > self.max_pending or n_bytes > self.max_pending_bytes:
            raise JournalFullError(
                f"{n_new} offloads of {n_bytes} bytes; a journal with max_pending={self.max_pending} and"
                f" max_pending_bytes={self.max_pending_bytes} never has room for them: raise these"
            )
        if n_new and tally.n_undelivered + n_new > self.max_pending:
            raise JournalFullError(
                f"{tally.n_undelivered} outcomes wait to be acknowledged, {self.max_pending} may; call"
                " delivered() for what undelivered() gives"
            )
        while not self._fits(table, n_new, n_bytes):
            if self.when_full == "refuse":
                raise JournalFullError(
                    f"{tally.n_pending} offloads of {tally.pending_bytes} bytes are pending,"
                    f" {self.max_pending} of {self.max_pending_bytes} may; let the exit's answer stand, or"
                    " use when_full='drop-oldest'"
                )
            table.settle(table.oldest(), None, "dropped: the journal was full and newer samples came")
            n_dropped += 1
        return n_dropped

    def _fits(self, table: Table, n_new: int, n_bytes: int) -> bool:
        return (
            table.tally.n_pending + n_new <= self.max_pending
            and table.tally.pending_bytes + n_bytes <= self.max_pending_bytes
        )
