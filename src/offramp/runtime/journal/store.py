"""The journal's file: opened by one process alone, checked, and moved aside when damaged and told to.

Format: docs/formats/journal.md.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal, get_args

from offramp.errors import JournalDamagedError, JournalError

Sync = Literal["full", "normal"]
SYNCS: tuple[Sync, ...] = get_args(Sync)

FORMAT = 1
APPLICATION_ID = 0x6F66726A  # "ofrj"
_MAX_ASIDE = 1000
_MEMORY = ":memory:"
_WAL_BYTES = 8 << 20  # what the write-ahead log shrinks back to after it had to grow

# quick_check holds every row against these types, so what was read has them.
_SCHEMA = """
CREATE TABLE offload (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE CHECK (typeof(id) = 'text'),
    created_s REAL NOT NULL CHECK (typeof(created_s) = 'real'),
    content BLOB NOT NULL CHECK (typeof(content) = 'blob'),
    head_digest TEXT NOT NULL CHECK (typeof(head_digest) = 'text'),
    request BLOB CHECK (typeof(request) = CASE state WHEN 'pending' THEN 'blob' ELSE 'null' END),
    label INTEGER NOT NULL CHECK (typeof(label) = 'integer'),
    confidence REAL NOT NULL CHECK (typeof(confidence) = 'real'),
    state TEXT NOT NULL CHECK (state IN ('pending', 'refined', 'given_up')),
    refined_label INTEGER
        CHECK (typeof(refined_label) = CASE state WHEN 'refined' THEN 'integer' ELSE 'null' END),
    refined_confidence REAL
        CHECK (typeof(refined_confidence) = CASE state WHEN 'refined' THEN 'real' ELSE 'null' END),
    reason TEXT CHECK (typeof(reason) = CASE state WHEN 'given_up' THEN 'text' ELSE 'null' END),
    settled INTEGER CHECK (typeof(settled) = CASE state WHEN 'pending' THEN 'null' ELSE 'integer' END),
    delivered INTEGER CHECK (delivered IS NULL OR (state <> 'pending' AND typeof(delivered) = 'integer'))
);
CREATE INDEX pending ON offload (number) WHERE state = 'pending';
CREATE INDEX undelivered ON offload (settled) WHERE state <> 'pending' AND delivered IS NULL;
CREATE INDEX delivered ON offload (delivered) WHERE delivered IS NOT NULL;
"""


def open_store(path: Path | None, *, sync: Sync, move_aside: bool) -> tuple[sqlite3.Connection, Path | None]:
    """A connection that has the file to itself, and where a damaged file went that was there before.

    Args:
        path: None for memory.
        sync: "full" waits for the disk at every commit, "normal" when the log is folded into the file.
        move_aside: rename a damaged file to PATH.corrupt-N and begin an empty one.

    Raises:
        JournalDamagedError: damaged, and not to be moved aside.
        JournalError: in use, not writable, of a newer format, or of something else.
    """
    try:
        return _opened(path, sync), None
    except JournalDamagedError:
        if path is None or not move_aside:
            raise
    aside = _moved(path)
    return _opened(path, sync), aside


# A damaged schema makes SQLite's own words undecodable.
FAULTS = (sqlite3.Error, UnicodeDecodeError)


def in_words(file: Path | None, error: Exception) -> JournalError:
    """What SQLite says when it fails with one of FAULTS, and the way out."""
    path = file or Path("the journal in memory")
    if isinstance(error, UnicodeDecodeError):
        return _damaged(path, "its text is no UTF-8")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return JournalError(f"{path}: {error}; free space, then reopen the journal")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalError(
            f"{path}: another process has this journal; one edge has one of its own: stop the other"
            " or give another path"
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(error))
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return _not_writable(path, str(error))
    return JournalError(f"{path}: cannot be used ({error}); check the disk, then reopen the journal")


def _not_writable(path: Path, why: str) -> JournalError:
    return JournalError(f"{path}: cannot be written ({why}); give a path in a folder that can be")


def _damaged(path: Path, how: str) -> JournalDamagedError:
    return JournalDamagedError(
        f"{path}: damaged ({how}); open it with move_aside=True to keep it as {path.name}.corrupt-N and"
        " begin an empty one"
    )


def _opened(path: Path | None, sync: Sync) -> sqlite3.Connection:
    if path is None:
        connection = _connected(_MEMORY)
        connection.executescript(_SCHEMA)
        return connection
    # SQLite would call it an I/O error. To open it and see would, on closing, take its locks from another
    # journal of this process.
    effective = os.access in os.supports_effective_ids
    if os.path.exists(path) and not os.access(path, os.W_OK, effective_ids=effective):
        raise _not_writable(path, "it is read-only")
    try:
        connection = _connected(path)
        try:
            _prepare(connection, path, sync)
        except BaseException:
            connection.close()
            raise
    except FAULTS as error:
        raise in_words(path, error) from error
    return connection


def _connected(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, path: Path, sync: Sync) -> None:
    connection.text_factory = _text
    # The lock is taken here and kept to the end. With it SQLite needs no memory shared between processes.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")
    fresh = _is_fresh(connection, path)
    [(found,)] = connection.execute("PRAGMA quick_check(1)")
    if found != "ok":
        raise _damaged(path, " ".join(found.split()))
    [(mode,)] = connection.execute("PRAGMA journal_mode = WAL")
    if mode != "wal":
        raise JournalError(f"{path}: no write-ahead log can be kept there; give a path on a local disk")
    connection.execute(f"PRAGMA synchronous = {sync}")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the platter
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    if fresh:
        connection.executescript(
            f"BEGIN; {_SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {FORMAT}; COMMIT;"
        )


def _text(raw: bytes) -> str:
    """Damaged text is no reason to fail: the digest of its record tells."""
    return raw.decode(errors="replace")


def _is_fresh(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether nothing was ever kept in this file; raises where it is no journal that we read."""
    [(owner,)] = connection.execute("PRAGMA application_id")
    [(version,)] = connection.execute("PRAGMA user_version")
    [(n_tables,)] = connection.execute("SELECT count(*) FROM sqlite_master")
    if (owner, version, n_tables) == (0, 0, 0):
        return True
    if owner != APPLICATION_ID:
        raise JournalError(f"{path}: a SQLite file of something else; give another path")
    if version > FORMAT:
        raise JournalError(
            f"{path}: of journal format {version}, this offramp knows up to {FORMAT}; update it, or give"
            " another path"
        )
    return False


def _moved(path: Path) -> Path:
    """Renames the file, which must be closed; where it is now.

    Its log went into it when it was closed; SQLite throws one away that it finds beside an empty file.
    """
    for number in range(1, _MAX_ASIDE):
        aside = path.with_name(f"{path.name}.corrupt-{number}")
        if not os.path.lexists(aside):
            break
    else:
        raise JournalError(f"{path}: damaged, and {_MAX_ASIDE - 1} damaged ones lie beside it; remove some")
    try:
        path.rename(aside)
    except OSError as error:
        raise JournalError(f"{path}: damaged, and cannot be moved aside ({error.strerror})") from error
    return aside
