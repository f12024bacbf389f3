"""The journal against a dictionary, with restarts and crashes in between."""

import itertools
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from offramp.errors import DataError, JournalFullError
from offramp.runtime.journal import Entry, Journal, Refinement, Verdict

IDS = st.sampled_from("abcdefgh")
REQUESTS = st.sampled_from([b"", b"x", b"0123456789"])
VERDICTS = st.builds(Verdict, st.integers(0, 2), st.sampled_from([0.25, 1.0]))
MAX_PENDING, MAX_BYTES = 3, 24


class JournalMachine(RuleBasedStateMachine):
    """The model: pending entries, undelivered outcomes and acknowledged ids, each in its order."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.names = (self.folder / str(number) for number in itertools.count())
        self.path = next(self.names)
        self.pending, self.undelivered, self.acknowledged = {}, {}, {}

    @initialize(when_full=st.sampled_from(["refuse", "drop-oldest"]), keep=st.integers(0, 2))
    def begin(self, when_full, keep):
        self.settings = {
            "sync": "normal",
            "max_pending": MAX_PENDING,
            "max_pending_bytes": MAX_BYTES,
            "when_full": when_full,
            "keep_acknowledged": keep,
        }
        self.keep, self.journal = keep, Journal(self.path, **self.settings)

    def teardown(self):
        self.journal.close()
        shutil.rmtree(self.folder)

    @rule(id=IDS, request=REQUESTS, provisional=VERDICTS)
    def append(self, id, request, provisional):
        entry = Entry(id, 1.0, request, provisional, "head")
        known = self.pending.get(id) or self.undelivered.get(id) or self.acknowledged.get(id)
        known = known[0] if isinstance(known, tuple) else known
        if known is not None:
            if known == entry:
                self.journal.append(entry)
            else:
                with pytest.raises(DataError):
                    self.journal.append(entry)
        elif not self.has_room(entry):
            with pytest.raises(JournalFullError):
                self.journal.append(entry)
        else:
            while not self.fits(entry):
                oldest = next(iter(self.pending))
                self.undelivered[oldest] = (self.pending.pop(oldest), None)
            self.journal.append(entry)
            self.pending[id] = entry

    def fits(self, entry):
        n_bytes = sum(len(kept.request) for kept in self.pending.values()) + len(entry.request)
        return len(self.pending) < MAX_PENDING and n_bytes <= MAX_BYTES

    def has_room(self, entry):
        if len(self.undelivered) >= MAX_PENDING:
            return False
        return self.fits(entry) or self.settings["when_full"] == "drop-oldest"

    @rule(id=IDS, verdict=VERDICTS)
    def refine(self, id, verdict):
        refinement = self.journal.refine(id, verdict)
        self.check_settled(id, refinement, verdict)

    @rule(id=IDS)
    def give_up(self, id):
        self.check_settled(id, self.journal.give_up(id, "why"), None)

    def check_settled(self, id, refinement, verdict):
        if id not in self.pending:
            assert refinement is None
            return
        self.undelivered[id] = (self.pending.pop(id), verdict)
        self.check_refinement(refinement, id)

    def check_refinement(self, refinement, id):
        entry, verdict = self.undelivered[id]
        assert isinstance(refinement, Refinement)
        assert (refinement.id, refinement.provisional, refinement.refined) == (id, entry.provisional, verdict)
        assert refinement.retracted == (verdict is not None and verdict.label != entry.provisional.label)

    @rule(id=IDS)
    def delivered(self, id):
        if id in self.pending:
            with pytest.raises(DataError):
                self.journal.delivered(id)
            return
        assert self.journal.delivered(id) == (id in self.undelivered)
        if id in self.undelivered:
            self.acknowledged[id] = self.undelivered.pop(id)
            for oldest in list(self.acknowledged)[: len(self.acknowledged) - self.keep]:
                del self.acknowledged[oldest]

    @rule()
    def restart(self):
        self.journal.close()
        self.journal = Journal(self.path, **self.settings)

    @rule()
    def crash(self):
        """What a killed process leaves: the file and its log, as they are in the middle of everything."""
        left = next(self.names)
        for end in ("", "-wal"):
            if self.path.with_name(self.path.name + end).exists():
                shutil.copy(f"{self.path}{end}", f"{left}{end}")
        self.journal.close()
        self.path, self.journal = left, Journal(left, **self.settings)

    @invariant()
    def the_journal_tells_what_the_model_holds(self):
        if not hasattr(self, "journal"):
            return
        assert [(p.entry.id, p.entry) for p in self.journal.pending()] == list(self.pending.items())
        undelivered = self.journal.undelivered()
        assert [refinement.id for refinement in undelivered] == list(self.undelivered)
        for refinement in undelivered:
            self.check_refinement(refinement, refinement.id)
        n_bytes = sum(len(entry.request) for entry in self.pending.values())
        sizes = (len(self.pending), n_bytes, len(self.undelivered), len(self.acknowledged))
        assert self.journal.counts()[:4] == sizes
        assert sizes[0] + sizes[2] <= 2 * MAX_PENDING


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
