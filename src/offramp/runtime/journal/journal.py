"""The journal of an edge: what was promised to the application survives a crash.

What holds and what does not: docs/formats/journal.md.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from offramp.errors import ConfigError, DataError, JournalError, JournalFullError
from offramp.runtime.journal.records import Entry, Pending, Refinement, Verdict, check_verdict
from offramp.runtime.journal.room import Room, WhenFull
from offramp.runtime.journal.store import FAULTS, SYNCS, Sync, in_words, open_store
from offramp.runtime.journal.table import Table


class Counts(NamedTuple):
    """What lies in a journal now, and what happened since this process opened it.

    Args:
        pending, pending_bytes: offloads without an answer, and the bytes of their requests.
        undelivered: outcomes that the application has not acknowledged.
        acknowledged: records that are still there to recognise their ids.
        repeated: answers that came for an offload which had its outcome already, or is not known (any more).
        dropped: offloads given up to make room.
        refused: offloads that found no room.
        refined, retracted: outcomes by the tail, and those among them that differ from the first answer.
        given_up: outcomes without the tail, but for those dropped.
    """

    pending: int
    pending_bytes: int
    undelivered: int
    acknowledged: int
    repeated: int
    dropped: int
    refused: int
    refined: int
    retracted: int
    given_up: int


class Journal:
    """Offloads and what became of them, in a file that this process has alone. Context manager.

    Every method may be called from several threads, and returns when its effect is on disk. The first failure
    of the file (disk full, read-only, damaged) stops the journal: from then on every method raises what
    failed, at once, until `reopen` succeeds. Of a call that failed, the effect may be there after that.
    Not to be used on both sides of a fork.

    Args:
        path: of the file, made if there is none, in a folder that exists; None for memory, where the same
            holds until the process ends.
        sync: "full": what a method did survives a power cut. "normal": it survives the end of the process,
            but a power cut may undo the last of it, newest first.
        max_pending: offloads without an answer at most; and of outcomes which nobody acknowledges as many.
        max_pending_bytes: of the requests of all pending offloads together.
        when_full: "refuse" more offloads, or give up the oldest ("drop-oldest"). Where the application does
            not acknowledge, offloads are refused either way.
        keep_acknowledged: so many records stay after acknowledgement, so that their ids are known.
        move_aside: a damaged file becomes PATH.corrupt-N, and an empty one is begun.
        must_open: raise where the file cannot be used; else the journal begins stopped, as after a failure,
            and `reopen` tries again.

    Raises:
        ConfigError: a setting out of range.
        JournalError: in use by another process, not writable, of a newer format, or of something else.
        JournalDamagedError: damaged, and `move_aside` is False.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        sync: Sync = "full",
        max_pending: int = 10_000,
        max_pending_bytes: int = 64 << 20,
        when_full: WhenFull = "refuse",
        keep_acknowledged: int = 1_000,
        move_aside: bool = False,
        must_open: bool = True,
    ) -> None:
        if sync not in SYNCS:
            raise ConfigError(f"sync={sync!r}; use one of {', '.join(SYNCS)}")
        if keep_acknowledged < 0:
            raise ConfigError(f"keep_acknowledged={keep_acknowledged}; use 0 or more")
        self._room = Room(max_pending, max_pending_bytes, when_full)
        self.path = None if path is None else Path(os.path.abspath(path))
        self.moved_aside: Path | None = None
        """Where a damaged file is now that was found at `path`."""
        self._sync: Sync = sync
        self._keep = keep_acknowledged
        self._move_aside = move_aside
        self._lock = threading.Lock()
        self._closed = False
        self._failure: JournalError | None = None
        self._repeated = self._dropped = self._refused = 0
        self._refined = self._retracted = self._given_up = 0
        self._table: Table | None = None
        try:
            self._table = self._open()
        except JournalError as error:
            if must_open:
                raise
            self._failure = error

    @property
    def failure(self) -> str | None:
        """Why the journal has stopped, None while it works."""
        failure = self._failure
        return None if failure is None else str(failure)

    def append(self, *entries: Entry) -> None:
        """Keeps these offloads, all or none; call it before their provisional answers are given.

        An entry that is kept already, the same but for its time, is fine and changes nothing.

        Raises:
            DataError: an id is used for another offload.
            JournalFullError: no room; what is there stays. The exit's answer is final for these samples.
            JournalError: the file fails.
        """
        with self._transaction() as table:
            new = _new(table, entries)
            try:
                n_dropped = self._room.make(table, len(new), sum(len(entry.request) for entry, _ in new))
            except JournalFullError:
                self._refused += len(new)
                raise
            for entry, content in new:
                table.insert(entry, content)
            self._dropped += n_dropped

    def pending(self, limit: int = 256, *, after: int = 0) -> list[Pending]:
        """Offloads without an answer, at most `limit`, in the order of appending, numbers above `after`.

        One whose bytes on disk are not those that were appended is given up instead.

        Raises:
            JournalError: the file fails.
        """
        _check_limit(limit)
        with self._transaction() as table:
            sound = list[Pending]()
            damaged = [0]
            while damaged and not sound:  # a damaged one must not hide sound ones behind it
                sound, damaged = table.pending(limit, after)
                for number in damaged:
                    table.settle(number, None, "its record was damaged on disk")
                self._given_up += len(damaged)
        return sound

    def refine(self, id: str, answer: Verdict) -> Refinement | None:
        """The tail's answer to an offload: its refinement the first time, None ever after.

        None also for an offload that was given up, or that the journal does not know (any more). Hand the
        refinement to the application, then call `delivered`.

        Raises:
            DataError: a label or confidence out of range.
            JournalError: the file fails; the offload stays pending, or `undelivered` will tell.
        """
        return self.refine_many({id: answer})[0]

    def refine_many(self, answers: Mapping[str, Verdict]) -> list[Refinement | None]:
        """As `refine`, for the answers of one batch, in their order; all are kept or none."""
        for id, answer in answers.items():
            check_verdict(id, answer)
        with self._transaction() as table:
            numbers = {id: table.pending_number(id) for id in answers}
            refinements = [
                None if number is None else table.settle(number, answers[id])
                for id, number in numbers.items()
            ]
            settled = [refinement for refinement in refinements if refinement is not None]
            self._repeated += len(refinements) - len(settled)
            self._refined += len(settled)
            self._retracted += sum(refinement.retracted for refinement in settled)
        return refinements

    def give_up(self, id: str, reason: str) -> Refinement | None:
        """Ends the wait for an answer: the provisional one stands. None if it has its outcome, or is unknown.

        Args:
            reason: for the application; more than 500 characters are cut off.

        Raises:
            JournalError: as `refine`.
        """
        with self._transaction() as table:
            number = table.pending_number(id)
            if number is None:
                return None
            self._given_up += 1
            return table.settle(number, None, reason)

    def undelivered(self, limit: int = 256, *, after: int = 0) -> list[Refinement]:
        """Outcomes that the application has not acknowledged, at most `limit`, numbers above `after`.

        In the order in which they became known. After a start they come again from 0, those that the
        application had before the crash and did not acknowledge among them.

        Raises:
            JournalError: the file fails.
        """
        _check_limit(limit)
        with self._transaction() as table:
            return table.undelivered(limit, after)

    def delivered(self, *ids: str) -> int:
        """The application has these outcomes: they are never handed out again. How many were not known to be.

        Raises:
            DataError: one of them has no outcome yet.
            JournalError: the file fails.
        """
        with self._transaction() as table:
            n_new = 0
            for id in ids:
                outcome, waits = table.outcome(id)
                if outcome is None and table.content_of(id) is not None:
                    raise DataError(f"sample {id!r} has no outcome yet; acknowledge what undelivered() gave")
                if waits:
                    table.acknowledge(id)
                    n_new += 1
            table.prune(self._keep)
        return n_new

    def counts(self) -> Counts:
        """What lies here and what happened.

        Raises:
            JournalError: the journal has stopped.
        """
        with self._lock:
            tally = self._ready().tally
            return Counts(
                tally.n_pending,
                tally.pending_bytes,
                tally.n_undelivered,
                tally.n_delivered,
                self._repeated,
                self._dropped,
                self._refused,
                self._refined,
                self._retracted,
                self._given_up,
            )

    def reopen(self) -> None:
        """Tries the file again after a failure; nothing while it works.

        Raises:
            JournalError: as when it was made; the journal stays stopped.
        """
        with self._lock:
            self._check_open()
            if self._failure is None:
                return
            last = 0
            if self._table is not None:
                self._table.connection.close()
                last = self._table.tally.last
            try:
                self._table = self._open(last=last)
            except JournalError as error:
                self._failure = error
                raise
            self._failure = None

    def close(self) -> None:
        """Lets others have the file; closing twice is fine."""
        with self._lock:
            self._closed = True
            if self._table is not None:
                self._table.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, *, last: int = 0) -> Table:
        connection, aside = open_store(self.path, sync=self._sync, move_aside=self._move_aside)
        try:
            table = Table(connection, last=last)
        except FAULTS as error:
            connection.close()
            raise in_words(self.path, error) from error
        self.moved_aside = aside or self.moved_aside
        return table

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigError("this journal is closed; make a new one")

    def _ready(self) -> Table:
        self._check_open()
        if self._failure is not None:
            raise type(self._failure)(str(self._failure))  # each with a traceback of its own
        assert self._table is not None, "without one the journal has failed"
        return self._table

    @contextmanager
    def _transaction(self) -> Iterator[Table]:
        """The table, for this thread alone; what is done with it is kept at the end, or undone."""
        with self._lock:
            table = self._ready()
            connection = table.connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield table
                connection.execute("COMMIT")
            except FAULTS as error:
                self._failure = in_words(self.path, error)
                raise self._failure from error
            except BaseException:  # refused, or interrupted anywhere
                self._undo(table)
                raise

    def _undo(self, table: Table) -> None:
        try:
            if table.connection.in_transaction:
                table.connection.execute("ROLLBACK")
            table.recount()
        except FAULTS as error:
            self._failure = in_words(self.path, error)


def _new(table: Table, entries: Sequence[Entry]) -> list[tuple[Entry, bytes]]:
    """Those of these entries that are not kept yet, with the digests of their content."""
    new, seen = list[tuple[Entry, bytes]](), dict[str, bytes]()
    for entry in entries:
        content = entry.content()
        known = seen.get(entry.id) or table.content_of(entry.id)
        if known is None:
            new.append((entry, content))
        elif known != content:
            raise DataError(
                f"sample id {entry.id!r} is used for another offload; give each sample an id of its own"
            )
        seen[entry.id] = content
    return new


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ConfigError(f"limit={limit}; use 1 or more")
