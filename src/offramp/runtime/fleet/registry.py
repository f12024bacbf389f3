"""The edges that report to a server: the latest word of each, and its last minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import grpc
import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.errors import WireError
from offramp.runtime.fleet.history import WINDOW_S, Counts, History

MAX_EDGES = 1000
SILENT_S = 60.0
RECENT_S = 60.0  # what decides how an edge is

# What is kept of each moment, besides the latencies.
COLUMNS = ("n_samples", "n_exited", "n_offloaded", "payload_bytes", "raw_bytes", "n_unanswered", "n_refined")
N_LINES = 5  # the first of them are drawn
N_COUNTS = len(COLUMNS) + len(wire.LATENCY_BOUNDS_S) + 1


@dataclass(frozen=True)
class Seen:
    """An edge as the server knows it, at one time.

    Args:
        report: its latest.
        silent_s: since that came.
        n_restarts: of the edge, since the server started.
        lately_s, lately: its last minutes, and what each of COLUMNS and of the latencies grew by in them.
        recent: what they grew by in the last RECENT_S.
        lines: what each of the first five COLUMNS grew by in a second, over WINDOW_S, (5, N_SLOTS); NaN where
            not known.
    """

    report: wire.EdgeReport
    silent_s: float
    n_restarts: int
    lately_s: float
    lately: Counts
    recent: Counts
    lines: npt.NDArray[np.float64]

    @property
    def is_silent(self) -> bool:
        """No word for too long, and none of farewell."""
        return self.silent_s > SILENT_S and not self.report.stopped


@dataclass
class _Course:
    report: wire.EdgeReport
    heard_at: float
    history: History
    n_restarts: int = 0


class Fleet:
    """Takes the reports of edges. Thread-safe, and bounded: of too many, the longest silent is forgotten.

    Args:
        max_edges: that are known at a time.
        clock: gives seconds that only grow.
    """

    def __init__(self, *, max_edges: int = MAX_EDGES, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_edges = max_edges
        self._clock = clock
        self._lock = Lock()
        self._courses: dict[str, _Course] = {}  # whoever was heard last is last

    def see(self, report: wire.EdgeReport) -> None:
        """A report has come."""
        with self._lock:
            now = self._clock()
            known = self._courses.pop(report.edge, None)
            if known is None:
                course = _begun(report, now)
            elif _restarted(known.report, report):
                course = _begun(report, now)
                course.n_restarts = known.n_restarts + 1
            else:
                course = known
            course.report, course.heard_at = report, now
            course.history.add(now, _counts(report))
            self._courses[report.edge] = course
            if len(self._courses) > self._max_edges:
                del self._courses[next(iter(self._courses))]

    def edges(self) -> list[Seen]:
        """All edges, by name."""
        with self._lock:
            courses = sorted(self._courses.items())
        seen = []
        for _, course in courses:
            with self._lock:  # for each anew: a report is taken in the thread that answers requests
                seen.append(_seen(course, self._clock()))
        return seen

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server registers."""
        report = grpc.unary_unary_rpc_method_handler(self._take)
        return grpc.method_handlers_generic_handler(wire.FLEET_SERVICE, {"Report": report})

    async def _take(self, data: bytes, context: grpc.aio.ServicerContext) -> bytes:
        try:
            self.see(wire.EdgeReport.from_bytes(data))
        except WireError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error)[:500])
        return b""


def _begun(report: wire.EdgeReport, now: float) -> _Course:
    history = History(N_COUNTS)
    if report.uptime_s < WINDOW_S:  # then all that it counted is of late
        history.add(now - report.uptime_s, (0,) * N_COUNTS)
    return _Course(report, now, history)


def _restarted(before: wire.EdgeReport, after: wire.EdgeReport) -> bool:
    """Whether the edge began anew between two reports: what only grows is smaller."""
    shrunk = any(new < old for old, new in zip(_counts(before), _counts(after), strict=True))
    return after.uptime_s < before.uptime_s or shrunk


def _counts(report: wire.EdgeReport) -> tuple[int, ...]:
    return (
        report.n_samples,
        report.n_exited,
        report.n_offloaded,
        report.payload_bytes,
        report.raw_bytes,
        report.n_fallbacks + report.n_failed,
        report.n_refined,
        *report.latency,
    )


def _seen(course: _Course, now: float) -> Seen:
    silent_s = now - course.heard_at
    # Between two reports nothing is known, which is not the same as nothing happening.
    until = now if silent_s > SILENT_S else course.heard_at
    lately_s, lately = course.history.lately(until)
    _, recent = course.history.lately(until, window_s=RECENT_S)
    lines = course.history.rates(until, range(N_LINES))
    return Seen(course.report, silent_s, course.n_restarts, lately_s, lately, recent, lines)
