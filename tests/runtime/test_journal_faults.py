"""Full and read-only disks, damaged and foreign files: one line each, and the edge can go on."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.errors import JournalDamagedError, JournalError
from offramp.runtime.journal import Entry, Journal, Verdict


def entry(id, request=b"coded", *, head_digest="a" * 64):
    return Entry(id, 100.0, request, Verdict(1, 0.4), head_digest)


def ids(records):
    return [getattr(record, "entry", record).id for record in records]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "edge.journal"


@pytest.fixture
def folder():
    """A folder that a user without privileges can come to."""
    made = Path(tempfile.mkdtemp(prefix="journal-"))
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


@contextmanager
def without_privileges():
    """Permissions bind even root's tests."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_full_disk_stops_the_journal_until_there_is_space_and_loses_nothing(path):
    with Journal(path) as journal:
        journal.append(entry("a"), entry("b"))
        connection = journal._table.connection
        [(n_pages,)] = connection.execute("PRAGMA page_count")
        connection.execute(f"PRAGMA max_page_count = {n_pages}")
        said = rf"^{path}: database or disk is full; free space, then reopen the journal$"
        with pytest.raises(JournalError, match=said):
            journal.append(entry("c", b"x" * 10_000))
        calls = [
            lambda: journal.append(entry("d")),
            lambda: journal.refine("a", Verdict(1, 0.9)),
            journal.pending,
            journal.undelivered,
            lambda: journal.delivered("a"),
            journal.counts,
        ]
        for call in calls:
            with pytest.raises(JournalError, match=said):
                call()
        assert journal.failure.endswith("free space, then reopen the journal")
        journal.reopen()  # a connection of its own: it may grow again
        assert journal.failure is None
        assert ids(journal.pending()) == ["a", "b"]
        journal.append(entry("c", b"x" * 10_000))
        assert journal.counts()[:3] == (3, 10_010, 0)


def test_numbers_go_up_across_reopening_so_that_readers_miss_nothing(path):
    with Journal(path, keep_acknowledged=0) as journal:
        journal.append(entry("a"), entry("b"))
        seen = journal.pending()[-1].number
        journal.refine_many(dict.fromkeys("ab", Verdict(1, 0.9)))
        journal.delivered("a", "b")
        fail(journal)
        journal.reopen()
        journal.append(entry("c"))
        assert ids(journal.pending(after=seen)) == ["c"]


def fail(journal):
    """The next write finds a file that cannot be written."""
    journal._table.connection.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalError, match="attempt to write a readonly database"):
        journal.append(entry("not kept"))


def test_a_disk_that_becomes_read_only_stops_the_journal_and_says_so(path):
    with Journal(path) as journal:
        fail(journal)
        assert journal.failure == (
            f"{path}: cannot be written (attempt to write a readonly database); give a path in a folder that"
            " can be"
        )


def test_a_process_that_may_write_no_more_bytes_keeps_all_it_was_told_is_kept(path):
    code = f"""
import resource, sys
from offramp.errors import JournalError
from offramp.runtime.journal import Entry, Journal, Verdict
journal = Journal({str(path)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
for k in range(1000):
    try:
        journal.append(Entry(str(k), 1.0, bytes(1000), Verdict(0, 0.5), ""))
    except JournalError as error:
        print(k, error, sep="|")
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.reopen()
journal.append(Entry("after", 1.0, b"", Verdict(0, 0.5), ""))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    failed, said = run.stdout.strip().split("|")
    assert said == f"{path}: cannot be used (disk I/O error); check the disk, then reopen the journal"
    with Journal(path) as journal:
        kept = ids(journal.pending(2000))
    assert kept in (
        [*map(str, range(int(failed))), "after"],
        [*map(str, range(int(failed) + 1)), "after"],  # what failed may be there
    )


@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["written", "entered"])
def test_a_folder_that_cannot_be_used_is_refused(folder, mode):
    folder.chmod(mode)
    said = r"edge.journal: cannot be written \(unable to open database file\); give a path in a folder that"
    with without_privileges(), pytest.raises(JournalError, match=said):
        Journal(folder / "edge.journal")


def test_a_file_that_cannot_be_written_is_refused(folder):
    path = folder / "edge.journal"
    Journal(path).close()
    path.chmod(0o444)
    folder.chmod(0o555)
    said = r"edge.journal: cannot be written \(it is read-only\); give a path in a folder that can be$"
    with without_privileges(), pytest.raises(JournalError, match=said):
        Journal(path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(JournalError, match=r"no/edge.journal: cannot be written \(unable to open"):
        Journal(tmp_path / "no" / "edge.journal")


def filled(path, n=200):
    with Journal(path, sync="normal") as journal:
        journal.append(*(entry(f"sample-{k:04}", bytes([k % 256]) * 500) for k in range(n)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"not a database at all, but long enough to be one" * 100,
        lambda data: data[:4096] + bytes(4096 * 3) + data[4096 * 4 :],
        lambda data: data[: len(data) // 2],
    ],
    ids=["something else", "zeroed pages", "cut in half"],
)
def test_a_damaged_journal_is_moved_aside_only_when_asked(path, damage):
    filled(path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    said = rf"^{path}: damaged \(.+\); open it with move_aside=True to keep it as edge.journal.corrupt-N and"
    for _ in range(2):
        with pytest.raises(JournalDamagedError, match=said):
            Journal(path)
        assert path.read_bytes() == damaged
    with Journal(path, move_aside=True) as journal:
        assert journal.moved_aside == path.with_name("edge.journal.corrupt-1")
        assert journal.moved_aside.read_bytes() == damaged
        assert journal.pending() == []
        journal.append(entry("a"))
    with Journal(path, move_aside=True) as journal:
        assert journal.moved_aside is None
        assert ids(journal.pending()) == ["a"]
    path.write_bytes(damaged)
    with Journal(path, move_aside=True) as journal:
        assert journal.moved_aside == path.with_name("edge.journal.corrupt-2")


def test_nothing_of_a_damaged_journal_comes_into_the_new_one(path):
    filled(path)
    with Journal(path) as journal:
        journal.append(entry("old"))
        log = path.with_name("edge.journal-wal").read_bytes()
    path.write_bytes(b"x" * path.stat().st_size)
    path.with_name("edge.journal-wal").write_bytes(log)
    with Journal(path, move_aside=True) as journal:
        assert journal.moved_aside is not None
        assert journal.pending() == []
        journal.append(entry("new"))
    with Journal(path) as journal:
        assert ids(journal.pending()) == ["new"]


def test_a_journal_found_damaged_at_work_starts_anew_when_reopened_and_asked_to(path):
    with Journal(path, move_aside=True) as journal:
        journal.append(*(entry(str(k), bytes(3000)) for k in range(20)))
        connection = journal._table.connection
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA cache_size = 1")
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(4096 * 15))
        with pytest.raises(JournalDamagedError, match=r"damaged \(database disk image is malformed\)"):
            journal.pending()
        with pytest.raises(JournalDamagedError):  # of the same kind ever after
            journal.append(entry("new"))
        journal.reopen()
        assert journal.moved_aside == path.with_name("edge.journal.corrupt-1")
        journal.append(entry("new"))


def test_a_record_that_was_altered_on_disk_is_given_up_and_never_sent(path):
    with Journal(path) as journal:
        journal.append(entry("a", b"PRISTINE"), entry("b"), entry("c", b"PRISTINE"))
        journal.append(entry("d", head_digest="PRISTINE"))
    path.write_bytes(path.read_bytes().replace(b"PRISTINE", b"PRIST\xffNE"))
    with Journal(path) as journal:
        assert ids(journal.pending(1)) == ["b"]
        assert ids(journal.pending()) == ["b"]
        told = {outcome.id: outcome.reason for outcome in journal.undelivered()}
        assert told == dict.fromkeys("acd", "its record was damaged on disk")


def test_a_schema_that_is_no_text_is_damage(path):
    filled(path, 1)
    path.write_bytes(path.read_bytes().replace(b"offloadoffload", b"\xff\xfefloadoffload"))
    with pytest.raises(
        JournalDamagedError, match=r": damaged \(its text is no UTF-8\); open it with move_as"
    ):
        Journal(path)


@settings(max_examples=60)
@given(data=st.data())
def test_no_damage_makes_anything_but_a_journal_error_or_a_sound_record(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edge.journal"
        filled(path, 30)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4), label="places")):
            at = data.draw(st.integers(0, len(content) - 1), label="at")
            piece = data.draw(st.binary(min_size=1, max_size=16), label="bytes")
            content[at : at + len(piece)] = piece
        path.write_bytes(content)
        with suppress(JournalError), Journal(path, sync="normal") as journal:
            for _, found in journal.pending():
                number = int(found.id[-4:])
                kept = entry(f"sample-{number:04}", bytes([number % 256]) * 500)
                assert found.content() == kept.content()  # all but its time, which no digest covers
                journal.refine(found.id, Verdict(1, 0.9))
            journal.delivered(*ids(journal.undelivered()))


@settings(max_examples=40)
@given(data=st.data())
def test_a_log_cut_anywhere_as_by_a_power_cut_opens_with_the_first_of_what_was_appended(data):
    with tempfile.TemporaryDirectory() as folder:
        path, left = Path(folder) / "edge.journal", Path(folder) / "left"
        with Journal(path, sync="normal") as journal:
            for k in range(6):
                journal.append(entry(str(k), bytes(k * 700)))
            log = path.with_name("edge.journal-wal").read_bytes()
            cut = data.draw(st.integers(0, len(log)), label="cut")
            junk = data.draw(st.binary(max_size=50), label="junk")
            shutil.copy(path, left)
            left.with_name("left-wal").write_bytes(log[:cut] + junk)
        with Journal(left, sync="normal") as journal:
            kept = ids(journal.pending())
            assert kept == [str(k) for k in range(len(kept))]
            assert cut < len(log) or len(kept) == 6
            journal.append(entry("after"))


def test_a_file_of_a_newer_offramp_is_left_alone(path):
    filled(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    said = rf"^{path}: of journal format 2, this offramp knows up to 1; update it, or give another path$"
    with pytest.raises(JournalError, match=said):
        Journal(path, move_aside=True)
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_left_alone(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(JournalError, match=rf"^{path}: a SQLite file of something else; give another path$"):
        Journal(path, move_aside=True)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_file_of_nothing_is_an_empty_journal(path):
    path.touch()
    with Journal(path) as journal:
        assert journal.pending() == []


def test_reopening_what_still_fails_stays_stopped(folder):
    path = folder / "edge.journal"
    with Journal(path) as journal:
        fail(journal)
        shutil.move(path, folder / "gone")
        path.mkdir()
        for _ in range(2):
            with pytest.raises(JournalError, match=r"cannot be written \(unable to open database file\)"):
                journal.reopen()
        assert "unable to open database file" in journal.failure
        path.rmdir()
        journal.reopen()
        journal.append(entry("a"))
