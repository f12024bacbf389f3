"""What the dashboard shows, as values: of each edge, of all edges, and of the server itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.runtime.fleet.history import WINDOW_S
from offramp.runtime.fleet.quantile import Percentiles, percentiles
from offramp.runtime.fleet.registry import COLUMNS, N_COUNTS, N_LINES, SILENT_S, Seen

Status = Literal["silent", "alone", "drift", "faults", "ok", "stopped"]
Line = list[float]  # a second, over WINDOW_S; NaN, which JSON has as null, where not known

_SAMPLES, _EXITED, _OFFLOADED, _SENT, _RAW, _UNANSWERED, _REFINED = range(len(COLUMNS))


@dataclass(frozen=True)
class EdgeState:
    """One edge. Rates and percentiles are of the last WINDOW_S, None where nothing happened; counts are since
    the edge started.

    Args:
        status: the first that is true: it has said goodbye ("stopped"); no word for SILENT_S; in the last
            minute half of its offloads or more went unanswered, or after an error no second answer came to
            those that wait ("alone"); drift alarms since it started; some of them went unanswered ("faults");
            all well.
    """

    name: str
    status: Status
    silent_s: float
    model: str
    mode: str
    version: str
    head_digest: str
    uptime_s: float
    n_restarts: int
    samples_per_s: float
    exit_rate: float | None
    offload_rate: float | None
    latency_s: Percentiles | None
    n_samples: int
    exits: dict[str, int]
    n_unanswered: int
    n_refused: int
    n_drift_alarms: int
    n_refined: int
    n_retracted: int
    n_given_up: int
    n_waiting: int
    payload_bytes: int
    raw_bytes: int
    last_error: str
    samples_line: Line
    exit_line: Line


@dataclass(frozen=True)
class FleetState:
    """All edges together; rates and percentiles are of those that are not silent."""

    n_edges: int
    n_by_status: dict[Status, int]
    samples_per_s: float
    exit_rate: float | None
    offload_rate: float | None
    latency_s: Percentiles | None
    n_samples: int
    n_unanswered: int
    n_unanswered_lately: int
    n_refused: int
    n_drift_alarms: int
    payload_bytes: int
    raw_bytes: int
    samples_line: Line
    exit_line: Line
    saved_line: Line


@dataclass(frozen=True)
class ModelState:
    """A model that is served, and what its requests came to since the server started."""

    name: str
    version: str
    n_answered: int
    n_failed: int
    n_rows: int
    latency_s: Percentiles | None


@dataclass(frozen=True)
class ServerState:
    """The server; rates and percentiles are of the last WINDOW_S, failures since it started."""

    version: str
    uptime_s: float
    requests_per_s: float
    latency_s: Percentiles | None
    failures: dict[str, int]
    requests_line: Line
    models: list[ModelState]


@dataclass(frozen=True)
class State:
    """All that the page shows."""

    window_s: float
    silent_after_s: float
    server: ServerState
    fleet: FleetState
    edges: list[EdgeState]


def state(server: ServerState, seen: Sequence[Seen]) -> State:
    """What the server and its edges come to."""
    return State(WINDOW_S, SILENT_S, server, _fleet(seen), [_edge(each) for each in seen])


def _status(seen: Seen) -> Status:
    if seen.report.stopped:
        return "stopped"
    if seen.is_silent:
        return "silent"
    unanswered, offloaded, refined = seen.recent[[_UNANSWERED, _OFFLOADED, _REFINED]].tolist()
    waits_in_vain = seen.report.n_waiting and seen.report.last_error and not refined
    if 0 < unanswered >= offloaded / 2 or waits_in_vain:
        return "alone"
    if seen.report.n_drift_alarms:
        return "drift"
    return "faults" if unanswered else "ok"


def _edge(seen: Seen) -> EdgeState:
    report, lately = seen.report, seen.lately
    return EdgeState(
        name=report.edge,
        status=_status(seen),
        silent_s=round(seen.silent_s, 1),
        model=report.model,
        mode=report.mode,
        version=report.version,
        head_digest=report.head_digest,
        uptime_s=report.uptime_s,
        n_restarts=seen.n_restarts,
        samples_per_s=_per_s(lately[_SAMPLES], seen.lately_s),
        exit_rate=_share(lately[_EXITED], lately[_SAMPLES]),
        offload_rate=_share(lately[_OFFLOADED], lately[_SAMPLES]),
        latency_s=percentiles(wire.LATENCY_BOUNDS_S, lately[len(COLUMNS) :]),
        n_samples=report.n_samples,
        exits=dict(report.exits),
        n_unanswered=report.n_fallbacks + report.n_failed,
        n_refused=report.n_refused,
        n_drift_alarms=report.n_drift_alarms,
        n_refined=report.n_refined,
        n_retracted=report.n_retracted,
        n_given_up=report.n_given_up,
        n_waiting=report.n_waiting,
        payload_bytes=report.payload_bytes,
        raw_bytes=report.raw_bytes,
        last_error=report.last_error,
        samples_line=line(seen.lines[_SAMPLES]),
        exit_line=line(_shares(seen.lines[_EXITED], seen.lines[_SAMPLES])),
    )


def _fleet(seen: Sequence[Seen]) -> FleetState:
    reports = [each.report for each in seen]
    heard = [each for each in seen if not each.is_silent]
    lately = sum((each.lately for each in heard), np.zeros(N_COUNTS, np.int64))
    # An edge that came later adds nothing before; only where no edge is known is nothing known.
    lines = np.array([each.lines for each in heard]) if heard else np.full((1, N_LINES, 1), np.nan)
    unknown = np.isnan(lines).all(axis=0)
    samples, exited, _, sent, raw = np.where(unknown, np.nan, np.nansum(lines, axis=0))
    statuses = [_status(each) for each in seen]
    return FleetState(
        n_edges=len(seen),
        n_by_status={status: statuses.count(status) for status in sorted(set(statuses))},
        samples_per_s=sum(_per_s(each.lately[_SAMPLES], each.lately_s) for each in heard),
        exit_rate=_share(lately[_EXITED], lately[_SAMPLES]),
        offload_rate=_share(lately[_OFFLOADED], lately[_SAMPLES]),
        latency_s=percentiles(wire.LATENCY_BOUNDS_S, lately[len(COLUMNS) :]),
        n_samples=sum(report.n_samples for report in reports),
        n_unanswered=sum(report.n_fallbacks + report.n_failed for report in reports),
        n_unanswered_lately=int(lately[_UNANSWERED]),
        n_refused=sum(report.n_refused for report in reports),
        n_drift_alarms=sum(report.n_drift_alarms for report in reports),
        payload_bytes=sum(report.payload_bytes for report in reports),
        raw_bytes=sum(report.raw_bytes for report in reports),
        samples_line=line(samples),
        exit_line=line(_shares(exited, samples)),
        saved_line=line(1 - _shares(sent, raw)),
    )


def line(values: npt.NDArray[np.float64]) -> Line:
    """Values for a sparkline, as exact as one can be drawn."""
    drawn: Line = np.round(values, 3).tolist()
    return drawn


def _per_s(n: int, seconds: float) -> float:
    return float(n / seconds) if seconds > 0 else 0.0


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _shares(parts: npt.NDArray[np.float64], wholes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.divide(parts, wholes, out=np.full_like(parts, np.nan), where=wholes > 0)
