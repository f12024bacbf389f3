"""One request on its way through the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from offramp.runtime.metering import Tally

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(eq=False)
class Passage:
    """What is known of a request so far, for counts, log and traces.

    Args:
        tally: of its model and version, or of none while it is in none of ours.
        metadata: that came with its call.
        held_bytes: that it takes of the room for requests.
        status: the name of the gRPC status that its caller got, empty while it is under way.
        times_ns: when it came, and when each of its stages ended that it got through.
    """

    tally: Tally
    metadata: Metadata = ()
    request_bytes: int = 0
    id: str = ""
    n_rows: int = 0
    response_bytes: int = 0
    held_bytes: int = 0
    status: str = ""
    times_ns: list[int] = field(default_factory=lambda: [time.time_ns()])
    duration_s: float = 0.0
    _began: float = field(default_factory=time.perf_counter)

    def stage_done(self) -> None:
        """One of `STAGES` has ended."""
        self.times_ns.append(time.time_ns())

    def end(self, status: str) -> None:
        self.status = status
        self.duration_s = time.perf_counter() - self._began


STAGES = ("read", "compute", "write")  # compute: with the wait for others of its batch

Observer = Callable[[Passage], None]
"""Told of each request once it has ended, in the thread of the event loop; raises nothing."""


def count(passage: Passage) -> None:
    """Puts a request into its tally."""
    tally = passage.tally
    tally.request_bytes += passage.request_bytes
    if passage.status == "OK":
        tally.answered(passage.duration_s, passage.response_bytes)
    else:
        tally.failed(passage.status)
