"""What an edge keeps on disk: offloads until they are refined, refinements until they are acknowledged."""

from offramp.runtime.journal.journal import Counts, Journal
from offramp.runtime.journal.records import Entry, Pending, Refinement, Verdict
from offramp.runtime.journal.room import WHEN_FULL, WhenFull
from offramp.runtime.journal.store import SYNCS, Sync

__all__ = [
    "SYNCS",
    "WHEN_FULL",
    "Counts",
    "Entry",
    "Journal",
    "Pending",
    "Refinement",
    "Sync",
    "Verdict",
    "WhenFull",
]
