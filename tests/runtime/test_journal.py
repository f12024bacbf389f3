"""What a journal keeps, tells once, and refuses."""

import subprocess
import sys
import threading

import pytest

from offramp.errors import ConfigError, DataError, JournalError, JournalFullError
from offramp.runtime.journal import Entry, Journal, Verdict


def entry(id, request=b"coded", *, label=1, confidence=0.4, created_s=100.0, head_digest="a" * 64):
    return Entry(id, created_s, request, Verdict(label, confidence), head_digest)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "edge.journal"


@pytest.fixture
def journal(path):
    with Journal(path) as opened:
        yield opened


def ids(records):
    return [getattr(record, "entry", record).id for record in records]


def test_an_offload_is_there_after_a_restart_as_it_was_appended(path):
    given = entry("Teil 7/ä", b"\x00\xff" * 3000, label=3, confidence=0.25)
    with Journal(path) as journal:
        journal.append(given)
    with Journal(path) as journal:
        assert [pending.entry for pending in journal.pending()] == [given]


def test_pending_offloads_come_in_the_order_of_appending_and_go_on_after_a_number(journal):
    journal.append(entry("c"), entry("a"))
    journal.append(entry("b"))
    first = journal.pending(2)
    assert ids(first) == ["c", "a"]
    assert ids(journal.pending(after=first[-1].number)) == ["b"]


def test_appending_the_same_offload_again_at_another_time_changes_nothing(journal):
    journal.append(entry("a"), entry("a"))
    journal.append(entry("a", created_s=200.0))
    [kept] = journal.pending()
    assert kept.entry.created_s == 100
    journal.refine("a", Verdict(1, 0.9))
    journal.append(entry("a"))
    assert journal.pending() == []


@pytest.mark.parametrize(
    "other",
    [
        entry("a", b"other"),
        entry("a", label=2),
        entry("a", confidence=0.5),
        entry("a", head_digest="b" * 64),
    ],
    ids=["request", "label", "confidence", "head"],
)
def test_another_offload_under_a_used_id_is_refused_with_all_that_came_with_it(journal, other):
    journal.append(entry("a"))
    with pytest.raises(
        DataError, match=r"^sample id 'a' is used for another offload; give each sample an id"
    ):
        journal.append(entry("new"), other)
    assert ids(journal.pending()) == ["a"]
    with pytest.raises(DataError, match="sample id 'b' is used"):
        journal.append(entry("b"), entry("b", b"other"))
    assert journal.counts().pending == 1


def test_an_offload_is_refined_once_and_a_second_answer_is_counted(journal):
    journal.append(entry("a", label=1), entry("b", label=1))
    refinement = journal.refine("a", Verdict(2, 0.9))
    assert (refinement.id, refinement.created_s, refinement.provisional) == ("a", 100, Verdict(1, 0.4))
    assert (refinement.refined, refinement.final) == (Verdict(2, 0.9), Verdict(2, 0.9))
    assert refinement.retracted
    assert journal.refine("a", Verdict(0, 0.8)) is None
    assert journal.give_up("a", "late") is None
    assert journal.refine("never seen", Verdict(0, 0.8)) is None
    assert journal.counts().repeated == 2
    assert not journal.refine("b", Verdict(1, 0.9)).retracted
    assert journal.undelivered()[0] == refinement


def test_what_is_given_up_keeps_its_provisional_answer_and_says_why(journal):
    journal.append(entry("a", label=1))
    given_up = journal.give_up("a", "x" * 600)
    assert (given_up.refined, given_up.final, given_up.retracted) == (None, Verdict(1, 0.4), False)
    assert given_up.reason == "x" * 500
    assert journal.refine("a", Verdict(2, 0.9)) is None
    assert journal.undelivered() == [given_up]


def test_the_answers_of_a_batch_are_kept_together_in_their_order(journal):
    journal.append(*map(entry, "abc"))
    answers = {"c": Verdict(0, 0.9), "x": Verdict(0, 0.9), "a": Verdict(1, 0.9)}
    refined = journal.refine_many(answers)
    assert [one and one.id for one in refined] == ["c", None, "a"]
    assert ids(journal.undelivered()) == ["c", "a"]
    with pytest.raises(DataError, match="sample 'd': confidence nan; use a finite number"):
        journal.refine_many({"b": Verdict(0, 0.9), "d": Verdict(0, float("nan"))})
    assert ids(journal.pending()) == ["b"]


def test_outcomes_come_again_after_a_restart_until_they_are_acknowledged(path):
    with Journal(path) as journal:
        journal.append(*map(entry, "abc"))
        journal.refine_many(dict.fromkeys("cab", Verdict(2, 0.9)))
        first = journal.undelivered(1)
        assert ids(first) == ["c"]
        assert ids(journal.undelivered(after=first[0].number)) == ["a", "b"]
    with Journal(path) as journal:
        assert ids(journal.undelivered()) == ["c", "a", "b"]
        assert journal.delivered("a", "c", "a") == 2
        assert journal.delivered("a", "unknown") == 0
    with Journal(path) as journal:
        assert ids(journal.undelivered()) == ["b"]


def test_an_offload_without_an_outcome_cannot_be_acknowledged(journal):
    journal.append(entry("a"), entry("b"))
    journal.refine("b", Verdict(1, 0.9))
    with pytest.raises(DataError, match=r"^sample 'a' has no outcome yet; acknowledge what undelivered\(\)"):
        journal.delivered("b", "a")
    assert ids(journal.undelivered()) == ["b"]


def test_acknowledged_records_stay_until_newer_ones_push_them_out(path):
    with Journal(path, keep_acknowledged=2) as journal:
        for id in "abc":
            journal.append(entry(id))
            journal.refine(id, Verdict(1, 0.9))
        journal.delivered("b", "c", "a")
        assert journal.counts().acknowledged == 2
        with pytest.raises(DataError, match="id 'c' is used"):
            journal.append(entry("c", b"other"))
        journal.append(entry("b", b"other"))  # acknowledged first, forgotten first
    with Journal(path, keep_acknowledged=0) as journal:
        assert journal.counts().acknowledged == 2
        journal.delivered()
        assert journal.counts().acknowledged == 0


def test_a_full_journal_refuses_offloads_and_keeps_what_it_has(path):
    with Journal(path, max_pending=2, max_pending_bytes=100) as journal:
        journal.append(entry("a", b"x" * 60))
        said = r"^1 offloads of 60 bytes are pending, 2 of 100 may; let the exit's answer stand"
        with pytest.raises(JournalFullError, match=said):
            journal.append(entry("b", b"x" * 41))
        journal.append(entry("b", b"x" * 40))
        with pytest.raises(JournalFullError, match="2 offloads of 100 bytes"):
            journal.append(entry("c", b""))
        journal.append(entry("b", b"x" * 40))  # is there already
        assert ids(journal.pending()) == ["a", "b"]
        assert (journal.counts().refused, journal.failure) == (2, None)
        journal.give_up("a", "enough")
        journal.append(entry("c", b"x" * 60))


def test_a_full_journal_gives_up_its_oldest_offloads_when_told_to_and_says_so(path):
    with Journal(path, max_pending=4, max_pending_bytes=100, when_full="drop-oldest") as journal:
        journal.append(entry("a", b"x" * 30), entry("b", b"x" * 30), entry("c", b"x" * 30))
        journal.append(entry("d", b"x" * 70))
        assert ids(journal.pending()) == ["c", "d"]
        dropped = journal.undelivered()
        assert ids(dropped) == ["a", "b"]
        assert dropped[0].reason == "dropped: the journal was full and newer samples came"
        assert journal.counts().dropped == 2
        assert journal.refine("a", Verdict(1, 0.9)) is None


@pytest.mark.parametrize("when_full", ["refuse", "drop-oldest"])
def test_an_application_that_never_acknowledges_does_not_fill_the_disk(path, when_full):
    with Journal(path, max_pending=2, when_full=when_full) as journal:
        for id in "ab":
            journal.append(entry(id))
            journal.refine(id, Verdict(1, 0.9))
        said = (
            r"^2 outcomes wait to be acknowledged, 2 may; call delivered\(\) for what undelivered\(\) gives"
        )
        with pytest.raises(JournalFullError, match=said):
            journal.append(entry("c"))
        journal.delivered("a")
        journal.append(entry("c"))


@pytest.mark.parametrize("when_full", ["refuse", "drop-oldest"])
def test_what_never_has_room_is_refused_without_dropping_anything(path, when_full):
    with Journal(path, max_pending=2, max_pending_bytes=10, when_full=when_full) as journal:
        journal.append(entry("a", b"x"))
        for too_many in ([entry("b", b"x" * 11)], [entry(id, b"") for id in "bcd"]):
            with pytest.raises(JournalFullError, match=r"never has room for them: raise these$"):
                journal.append(*too_many)
        assert ids(journal.pending()) == ["a"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": ""}, "a sample id of 0 characters; use 1 to 200"),
        ({"id": "x" * 201}, "a sample id of 201 characters; use 1 to 200"),
        ({"id": "\ud800"}, "is no Unicode text"),
        ({"label": -1}, "sample 'a': label -1; use a class number, 0 to 2147483647"),
        ({"confidence": float("inf")}, "sample 'a': confidence inf; use a finite number"),
        ({"created_s": float("nan")}, "sample 'a': created_s=nan; give seconds since 1970"),
    ],
    ids=["no id", "long id", "surrogate", "label", "confidence", "time"],
)
def test_an_entry_that_a_file_cannot_keep_is_refused(changes, said):
    with pytest.raises(DataError, match=said):
        entry(**({"id": "a"} | changes))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sync": "off"}, "sync='off'; use one of full, normal"),
        ({"when_full": "wait"}, "when_full='wait'; use one of refuse, drop-oldest"),
        ({"max_pending": 0}, "max_pending=0; use 1 or more"),
        ({"max_pending_bytes": 0}, "max_pending_bytes=0; use 1 or more"),
        ({"keep_acknowledged": -1}, "keep_acknowledged=-1; use 0 or more"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_a_setting_out_of_range_is_refused_and_no_file_made(path, settings, said):
    with pytest.raises(ConfigError, match=said):
        Journal(path, **settings)
    assert not path.exists()


def test_a_limit_below_one_is_refused(journal):
    for ask in (journal.pending, journal.undelivered):
        with pytest.raises(ConfigError, match="limit=0; use 1 or more"):
            ask(0)


@pytest.mark.parametrize(("sync", "level"), [("full", 2), ("normal", 1)])
def test_a_commit_waits_for_the_disk_as_was_asked(path, sync, level):
    with Journal(path, sync=sync) as journal:
        connection = journal._table.connection
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_another_process_is_refused_while_the_journal_is_open_and_served_after(path):
    code = f"from offramp.runtime.journal import Journal\nwith Journal({str(path)!r}): print('opened')"
    with Journal(path) as journal:
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert other.returncode == 1
        last = other.stderr.splitlines()[-1]
        assert last == (
            f"offramp.errors.JournalError: {path}: another process has this journal; one edge has one of its"
            " own: stop the other or give another path"
        )
        with pytest.raises(JournalError, match="another process has this journal"):
            Journal(path)
        journal.append(entry("a"))
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (other.returncode, other.stdout) == (0, "opened\n"), other.stderr


def test_a_closed_journal_says_so(path):
    journal = Journal(path)
    journal.close()
    journal.close()
    for call in (journal.pending, journal.undelivered, journal.counts, journal.reopen):
        with pytest.raises(ConfigError, match="this journal is closed; make a new one"):
            call()


def test_threads_that_append_refine_and_acknowledge_at_once_lose_nothing(path):
    told, lock = [], threading.Lock()
    with Journal(path, sync="normal") as journal:

        def work(name):
            for k in range(30):
                journal.append(entry(f"{name}-{k}"), entry("shared"))
                for pending in journal.pending(4):
                    refinement = journal.refine(pending.entry.id, Verdict(2, 0.9))
                    with lock:
                        told.extend([refinement.id] if refinement else [])
                for refinement in journal.undelivered(4):
                    journal.delivered(refinement.id)

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told += [journal.refine(pending.entry.id, Verdict(2, 0.9)).id for pending in journal.pending()]
    assert sorted(told) == sorted([*(f"{name}-{k}" for name in "abcd" for k in range(30)), "shared"])


def test_an_interruption_inside_a_call_undoes_it_and_the_journal_goes_on(journal, monkeypatch):
    journal.append(entry("a"))
    with monkeypatch.context() as patched:

        def interrupted(keep):
            raise KeyboardInterrupt

        patched.setattr(journal._table, "prune", interrupted)
        journal.refine("a", Verdict(1, 0.9))
        with pytest.raises(KeyboardInterrupt):
            journal.delivered("a")
    assert ids(journal.undelivered()) == ["a"]
    assert journal.counts()[:4] == (0, 0, 1, 0)
    assert journal.delivered("a") == 1


def test_a_journal_in_memory_keeps_the_same_until_it_is_closed():
    with Journal(None, max_pending=2) as journal:
        journal.append(entry("a"), entry("b"))
        with pytest.raises(JournalFullError):
            journal.append(entry("c"))
        assert journal.refine("a", Verdict(2, 0.9)).retracted
        assert ids(journal.pending()) == ["b"]
        assert ids(journal.undelivered()) == ["a"]
        journal.delivered("a")
    with Journal(None) as journal:
        assert journal.counts().pending == 0


def test_two_journals_in_memory_have_nothing_in_common():
    with Journal(None) as one, Journal(None) as other:
        one.append(entry("a"))
        assert other.pending() == []


def test_a_journal_that_need_not_open_begins_stopped_and_is_opened_later(tmp_path):
    path = tmp_path / "later" / "edge.journal"
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(path)
    with Journal(path, must_open=False) as journal:
        assert "cannot be written" in journal.failure
        with pytest.raises(JournalError, match="cannot be written"):
            journal.append(entry("a"))
        with pytest.raises(JournalError, match="cannot be written"):
            journal.reopen()
        path.parent.mkdir()
        journal.reopen()
        assert journal.failure is None
        journal.append(entry("a"))
        assert ids(journal.pending()) == ["a"]
