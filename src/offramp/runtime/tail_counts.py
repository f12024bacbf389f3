"""What became of an edge's requests to its tail."""

from __future__ import annotations

import threading
from collections import Counter
from typing import NamedTuple


class TailCounts(NamedTuple):
    """What became of the requests to a tail, since its client was made.

    A request is answered, unreachable, held back or refused, or ended with an answer that was not believed.
    With hedging such an answer may stand beside a believed one to the same request.

    Args:
        answered: whose answer was believed.
        unreachable: that found nobody, or no answer in time.
        held_back: that were not sent, because requests before them found nobody.
        refused: that the tail answered with an error; among them those of another head than the tail's.
        disbelieved: answers with another id, a wrong shape, NaN, or bytes that mean nothing.
        damaged: answers sound in themselves whose check was wrong, or missing where the tail gives one.
        hedged: requests sent a second time.
        opened: how often the tail was left alone after failures in a row.
        replaced: connections given up because they were silent.
    """

    answered: int = 0
    unreachable: int = 0
    held_back: int = 0
    refused: int = 0
    disbelieved: int = 0
    damaged: int = 0
    hedged: int = 0
    opened: int = 0
    replaced: int = 0

    @property
    def not_taken(self) -> int:
        """Refused by the tail, or its answers by this side."""
        return self.refused + self.disbelieved + self.damaged


class Tally:
    """Counts, from several threads, by their names in `TailCounts`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def counts(self, **others: int) -> TailCounts:
        """What was counted, and what others have."""
        with self._lock:
            return TailCounts(**self._counts, **others)
