"""What an edge tells of itself, so that a server can show its fleet: bytes in, counts out.

An edge that answers most samples alone hardly talks to its server. Format: docs/formats/fleet.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from offramp.errors import WireError

FLEET_SERVICE = "offramp.Fleet"
MAX_REPORT_BYTES = 8192
MAX_EXITS = 64
MAX_ERROR_CHARACTERS = 200
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z"  # as a bundle's name

# Eight to a factor of ten, from 10 us to 10 s: a percentile between two of them is known within a third.
LATENCY_BOUNDS_S = tuple(10 ** (k / 8 - 5) for k in range(49))

# Whoever reads JSON in a browser holds a thousand such exactly enough, and 64 bits hold their sum.
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**48)]
_Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
_Exit = Annotated[str, msgspec.Meta(pattern=r"^exit(-head-[1-9][0-9]{0,3})?\Z")]
_N_BUCKETS = len(LATENCY_BOUNDS_S) + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeReport:
    """One edge as it stands: who it is, and what it counted since it started.

    Args:
        edge, model, mode: its name, that of its bundle, and how it works.
        version: of offramp.
        head_digest: of what makes the features: 64 hex digits.
        uptime_s: since the counting began.
        stopped: the edge says goodbye, and no more reports are to be expected.
        n_samples: asked about; each was answered, or is among `n_failed`.
        exits: answered by each exit that was sure, by its name.
        n_offloaded: handed to the wire, or kept for it.
        n_tail, n_failed: of these, answered by the tail at once; without any answer, for want of an exit.
        n_fallbacks: answered by the exit at the cut in the tail's place, for good.
        n_refused: requests that the tail refused, or whose answer was not believed.
        n_refined, n_retracted, n_given_up, n_waiting: of an edge that answers twice: the tail's answers that
            came later, those among them that differed, those that never came, those still to come.
        payload_bytes: handed to the wire; `raw_bytes` would have been, had every sample been sent as it is.
        n_drift_alarms: see `Edge.drift_alarms`.
        latency: answers within each of LATENCY_BOUNDS_S but not the one before; the last took longer.
        last_error: why the last offload failed; empty for none.

    Raises:
        ValueError: counts that contradict one another.
    """

    edge: _Name
    version: Annotated[str, msgspec.Meta(max_length=50)]
    model: _Name
    mode: Annotated[str, msgspec.Meta(pattern=r"^[a-z+]{1,20}\Z")]
    head_digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    uptime_s: Annotated[float, msgspec.Meta(ge=0, le=1e10)]
    n_samples: _Count
    exits: Annotated[Mapping[_Exit, _Count], msgspec.Meta(max_length=MAX_EXITS)]
    n_offloaded: _Count
    n_tail: _Count
    n_fallbacks: _Count
    payload_bytes: _Count
    raw_bytes: _Count
    latency: Annotated[tuple[_Count, ...], msgspec.Meta(min_length=_N_BUCKETS, max_length=_N_BUCKETS)]
    n_failed: _Count = 0
    n_refused: _Count = 0
    n_refined: _Count = 0
    n_retracted: _Count = 0
    n_given_up: _Count = 0
    n_waiting: _Count = 0
    n_drift_alarms: _Count = 0
    last_error: Annotated[str, msgspec.Meta(max_length=MAX_ERROR_CHARACTERS)] = ""
    stopped: bool = False

    def __post_init__(self) -> None:
        for what, parts, whole in (
            ("exits and offloads", self.n_exited + self.n_offloaded, self.n_samples),
            ("answers and failures of the tail", self.n_tail + self.n_failed, self.n_offloaded),
            ("latencies", sum(self.latency), self.n_samples),
            ("retractions", self.n_retracted, self.n_refined),
        ):
            if parts > whole:
                raise ValueError(f"{parts} {what} of {whole}")

    @property
    def n_exited(self) -> int:
        return sum(self.exits.values())

    def to_bytes(self) -> bytes:
        """The message."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> EdgeReport:
        """The report in a message. Fields that are not known here are passed over: newer edges have them.

        Raises:
            WireError: too large, no such message, or values that no edge has.
        """
        if len(data) > MAX_REPORT_BYTES:
            raise WireError(f"a report of {len(data)} bytes; at most {MAX_REPORT_BYTES}")
        try:
            return _decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"not an edge's report: {error}") from error


_decoder = msgspec.json.Decoder(EdgeReport)
