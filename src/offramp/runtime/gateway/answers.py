"""What a gateway tells of: the answers of its device, and how often what happened."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal, NamedTuple


@dataclass(frozen=True)
class DeviceAnswer:
    """What was answered to one sample of a device.

    Args:
        sequence: the device's number of the sample; they begin anew after 65,535 and with every start.
        label: class number; `name` is its name.
        source: "tail", or where the device has its own verdict from: an "exit" that was sure, the whole
            network on it ("local"), or the exit in the place of a tail that did not answer ("fallback").
        confidence: largest softmax of the tail; None for the device's own verdicts.
        latency_s: from the last byte of the question to the answer's being written; None likewise.
        payload_bytes: features or sample, without framing; 0 where nothing was asked.
        reason: of a fallback, where it is known here.
    """

    sequence: int
    label: int
    name: str
    source: Literal["tail", "exit", "local", "fallback"]
    confidence: float | None = None
    latency_s: float | None = None
    payload_bytes: int = 0
    reason: str | None = None


class GatewayCounts(NamedTuple):
    """What happened on a serial line so far.

    Args:
        tail, exit, local, fallback: answers, by their source.
        questions: samples that the device asked about.
        no_answer, busy, tail_refused: questions whose refusal said so.
        unreadable, unknown: frames that were refused: with a content that the bundle's head cannot have made;
            from a device of another head, or one that has not said hello.
        late: answers for a device that had started anew or was gone.
        damaged: pieces of noise, and frames with a wrong check.
        strange: frames with a right check that mean nothing to a gateway.
        bytes_in, bytes_out: on the line, with framing.
        openings: how often the port was opened.
    """

    tail: int = 0
    exit: int = 0
    local: int = 0
    fallback: int = 0
    questions: int = 0
    no_answer: int = 0
    busy: int = 0
    tail_refused: int = 0
    unreadable: int = 0
    unknown: int = 0
    late: int = 0
    damaged: int = 0
    strange: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    openings: int = 0

    @property
    def answers(self) -> int:
        return self.tail + self.exit + self.local + self.fallback


class GatewayTally:
    """Counts, from several threads, by their names in `GatewayCounts`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = Counter[str]()

    def add(self, name: str, n: int = 1) -> None:
        with self._lock:
            self._counts[name] += n

    def counts(self) -> GatewayCounts:
        with self._lock:
            return GatewayCounts(**self._counts)
