"""The journal's statements. Inside a transaction that is another's to begin and end."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from offramp.errors import DataError
from offramp.runtime.journal.records import Entry, Pending, Refinement, Verdict

_MAX_REASON_CHARACTERS = 500
_OUTCOME = (
    "settled, id, created_s, label, confidence, refined_label, refined_confidence, reason, delivered IS NULL"
)


@dataclass
class Tally:
    """What lies in the table."""

    n_pending: int
    pending_bytes: int
    n_undelivered: int
    n_delivered: int
    last: int  # of the numbers given out for appending, settling and acknowledging

    def next(self) -> int:
        self.last += 1
        return self.last


class Table:
    """The offloads in a file, and how many of each kind there are.

    Args:
        last: numbers up to this one were given out before, and are not given out again.
    """

    def __init__(self, connection: sqlite3.Connection, *, last: int = 0) -> None:
        self.connection = connection
        self.tally = self._counted(last)

    def recount(self) -> None:
        """After a transaction that did not end as it began."""
        self.tally = self._counted(self.tally.last)

    def content_of(self, id: str) -> bytes | None:
        """The digest of the entry under this id, None where there is none."""
        row = self.connection.execute("SELECT content FROM offload WHERE id = ?", (id,)).fetchone()
        return None if row is None else bytes(row[0])

    def insert(self, entry: Entry, content: bytes) -> None:
        """Keeps an entry, with the digest of its content."""
        self.connection.execute(
            "INSERT INTO offload (number, id, created_s, content, head_digest, request, label, confidence,"
            " state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending')",
            (
                self.tally.next(),
                entry.id,
                float(entry.created_s),
                content,
                entry.head_digest,
                entry.request,
                int(entry.provisional.label),
                float(entry.provisional.confidence),
            ),
        )
        self.tally.n_pending += 1
        self.tally.pending_bytes += len(entry.request)

    def pending(self, limit: int, after: int) -> tuple[list[Pending], list[int]]:
        """Offloads without an answer, oldest first; and the numbers of those that are not as once kept."""
        rows = self.connection.execute(
            "SELECT number, content, id, created_s, request, label, confidence, head_digest FROM offload"
            " WHERE state = 'pending' AND number > ? ORDER BY number LIMIT ?",
            (after, limit),
        )
        sound, damaged = list[Pending](), list[int]()
        for number, content, *row in rows.fetchall():
            entry = _entry(row, content)
            if entry is None:
                damaged.append(number)
            else:
                sound.append(Pending(number, entry))
        return sound, damaged

    def oldest(self) -> int:
        """The number of the oldest offload without an answer; there must be one."""
        [(number,)] = self.connection.execute("SELECT min(number) FROM offload WHERE state = 'pending'")
        return int(number)

    def pending_number(self, id: str) -> int | None:
        """The number of the offload under this id if it has no answer, else None."""
        row = self.connection.execute(
            "SELECT number FROM offload WHERE id = ? AND state = 'pending'", (id,)
        ).fetchone()
        return None if row is None else int(row[0])

    def settle(self, number: int, verdict: Verdict | None, reason: str = "") -> Refinement:
        """The outcome of a pending offload, from now on.

        Args:
            verdict: the tail's, or None to give the offload up.
            reason: why it is given up.
        """
        [(n_bytes,)] = self.connection.execute(
            "SELECT length(request) FROM offload WHERE number = ?", (number,)
        )
        refined = (None, None) if verdict is None else (int(verdict.label), float(verdict.confidence))
        self.connection.execute(
            "UPDATE offload SET request = NULL, state = ?, refined_label = ?, refined_confidence = ?,"
            " reason = ?, settled = ? WHERE number = ?",
            (
                "given_up" if verdict is None else "refined",
                *refined,
                reason[:_MAX_REASON_CHARACTERS] if verdict is None else None,
                self.tally.next(),
                number,
            ),
        )
        self.tally.n_pending -= 1
        self.tally.pending_bytes -= n_bytes
        self.tally.n_undelivered += 1
        [row] = self.connection.execute(f"SELECT {_OUTCOME} FROM offload WHERE number = ?", (number,))
        return _refinement(row)

    def outcome(self, id: str) -> tuple[Refinement | None, bool]:
        """What became of an offload, None if nothing or unknown; whether it waits to be acknowledged."""
        row = self.connection.execute(
            f"SELECT {_OUTCOME} FROM offload WHERE id = ? AND state <> 'pending'", (id,)
        ).fetchone()
        return (None, False) if row is None else (_refinement(row), bool(row[-1]))

    def undelivered(self, limit: int, after: int) -> list[Refinement]:
        """Outcomes that nobody acknowledged, in the order in which they became known."""
        rows = self.connection.execute(
            f"SELECT {_OUTCOME} FROM offload WHERE state <> 'pending' AND delivered IS NULL AND settled > ?"
            " ORDER BY settled LIMIT ?",
            (after, limit),
        )
        return [_refinement(row) for row in rows.fetchall()]

    def acknowledge(self, id: str) -> None:
        """Notes that an outcome arrived; it must wait for that."""
        self.connection.execute("UPDATE offload SET delivered = ? WHERE id = ?", (self.tally.next(), id))
        self.tally.n_undelivered -= 1
        self.tally.n_delivered += 1

    def prune(self, keep: int) -> None:
        """Removes all acknowledged records but the `keep` that were acknowledged last."""
        excess = self.tally.n_delivered - keep
        if excess <= 0:
            return
        self.connection.execute(
            "DELETE FROM offload WHERE number IN"
            " (SELECT number FROM offload WHERE delivered IS NOT NULL ORDER BY delivered LIMIT ?)",
            (excess,),
        )
        self.tally.n_delivered = keep

    def _counted(self, last: int) -> Tally:
        [(*counts, largest)] = self.connection.execute(
            "SELECT coalesce(sum(state = 'pending'), 0), coalesce(sum(length(request)), 0),"
            " coalesce(sum(state <> 'pending' AND delivered IS NULL), 0),"
            " coalesce(sum(delivered IS NOT NULL), 0),"
            " max(coalesce(max(number), 0), coalesce(max(settled), 0), coalesce(max(delivered), 0))"
            " FROM offload"
        ).fetchall()
        n_pending, pending_bytes, n_undelivered, n_delivered = counts
        return Tally(n_pending, pending_bytes, n_undelivered, n_delivered, max(last, largest))


def _entry(row: Sequence[Any], content: bytes) -> Entry | None:
    """The entry that a row holds; None where it has not this content."""
    id, created_s, request, label, confidence, head_digest = row
    try:
        entry = Entry(id, created_s, request, Verdict(label, confidence), head_digest)
    except DataError:
        return None
    return entry if entry.content() == content else None


def _refinement(row: Sequence[Any]) -> Refinement:
    number, id, created_s, label, confidence, refined_label, refined_confidence, reason, _ = row
    refined = None if refined_label is None else Verdict(refined_label, refined_confidence)
    return Refinement(number, id, created_s, Verdict(label, confidence), refined, reason)
