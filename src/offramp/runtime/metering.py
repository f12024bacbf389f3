"""What a server's inference requests came to, counted while they pass."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
OTHER = ""  # the model of requests that name none of ours: their words must not make new series


@dataclass(frozen=True)
class Computed:
    """What one batch came to.

    Args:
        n_batches: calls of the model, more than one where the rows were too many for one.
        queue_s: that its requests waited, all of them together.
        compute_s: that it took.
    """

    n_requests: int
    n_rows: int
    n_batches: int
    queue_s: float
    compute_s: float


@dataclass(eq=False)
class Tally:
    """Counts of one version of a model. Durations and response bytes are of requests that were answered.

    Args:
        model: `OTHER` for requests that name none of ours.
        version: empty for requests that were refused before one was chosen.
        failures: by the name of the gRPC status that the caller got.
        within: requests answered within each of `BOUNDS_S` but not the one before; the last took longer.
        n_rows, n_batches: what the model computed, and in how many pieces.
        queue_s, compute_s: that requests waited for the model, and were computed; each of a batch takes the
            batch's time, as with Triton.
    """

    model: str
    version: str
    n_answered: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    duration_s: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    request_bytes: int = 0
    response_bytes: int = 0
    n_rows: int = 0
    n_batches: int = 0
    queue_s: float = 0.0
    compute_s: float = 0.0

    @property
    def duration_us(self) -> int:
        return round(self.duration_s * 1e6)

    @property
    def queue_us(self) -> int:
        return round(self.queue_s * 1e6)

    @property
    def compute_us(self) -> int:
        return round(self.compute_s * 1e6)

    def answered(self, seconds: float, n_bytes: int) -> None:
        self.n_answered += 1
        self.duration_s += seconds
        self.within[bisect_left(BOUNDS_S, seconds)] += 1
        self.response_bytes += n_bytes

    def failed(self, status: str) -> None:
        self.failures[status] = self.failures.get(status, 0) + 1

    def computed(self, batch: Computed) -> None:
        self.n_rows += batch.n_rows
        self.n_batches += batch.n_batches
        self.queue_s += batch.queue_s
        self.compute_s += batch.compute_s * batch.n_requests


class Meter:
    """A tally for each version of each model that a server has, in unary calls and streams alike.

    What gRPC itself refuses, too large a message or one call too many at once, reaches nobody and is not
    counted. All is counted in the thread of the event loop, but what `Tally.computed` counts in the thread of
    its model, one at a time.

    Attributes:
        bytes_in_flight: that requests take now, see `Room`.
    """

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], Tally] = {}
        self.bytes_in_flight = 0
        self.other = self.open(OTHER, "")

    def __iter__(self) -> Iterator[tuple[str, Tally]]:
        return iter([(tally.model, tally) for tally in list(self._tallies.values())])

    def open(self, model: str, version: str) -> Tally:
        """The tally of a version, from zero."""
        tally = self._tallies[model, version] = Tally(model, version)
        return tally

    def close(self, tally: Tally) -> None:
        """Shows the tally no more: its version is gone."""
        del self._tallies[tally.model, tally.version]

    def unchosen(self, model: str) -> Tally:
        """The tally of requests for a model of ours that were refused before a version was chosen."""
        return self._tallies.get((model, "")) or self.open(model, "")
