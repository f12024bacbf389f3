"""What an edge has done, counted while it answers."""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np

from offramp import __version__, wire
from offramp.bundle import Bundle
from offramp.errors import ConfigError, OfframpError
from offramp.runtime.answer import Answer

_NAME = re.compile(wire.NAME_PATTERN)
_USUAL = "exit", "exit", False  # a kind of answer with nothing else to count
_BOUNDS_S = wire.LATENCY_BOUNDS_S


class EdgeTally:
    """Counts the answers of one edge. Calls may come from several threads.

    Args:
        name: of the edge, its own within the fleet.
        bundle, mode: what it answers with, and how.
        clock: gives seconds that only grow.

    Raises:
        ConfigError: a name that cannot be one.
    """

    def __init__(
        self, name: str, bundle: Bundle, mode: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not _NAME.match(name):
            raise ConfigError(
                f"edge name {name!r}; give a letter or digit, then up to 99 of letters, digits, '._-'"
            )
        preprocessing = bundle.preprocessing
        self._name = name
        self._bundle = bundle
        self._mode = mode
        self._sample_bytes = int(np.prod(preprocessing.shape)) * np.dtype(preprocessing.dtype).itemsize
        self._clock = clock
        self._began = clock()
        self._lock = Lock()
        self._kinds: dict[tuple[str, str | None, bool], int] = {}  # source, exit, offloaded
        self._latency = [0] * (len(_BOUNDS_S) + 1)
        self._payload_bytes = 0
        self._n_failed = 0
        self._fault: OfframpError | None = None

    def answered(self, answers: Sequence[Answer]) -> None:
        """Answers were given, of any source."""
        kinds, latency = self._kinds, self._latency
        with self._lock:
            for answer in answers:
                latency[bisect_left(_BOUNDS_S, answer.latency_s)] += 1
                kind = answer.source, answer.exit, answer.offloaded
                kinds[kind] = kinds.get(kind, 0) + 1
                if kind != _USUAL:
                    self._payload_bytes += answer.payload_bytes
                    if answer.fault is not None:
                        self._fault = answer.fault

    def failed(self, payload_bytes: Sequence[int], fault: OfframpError) -> None:
        """Samples of so many bytes each were offloaded, and nobody answered."""
        with self._lock:
            self._n_failed += len(payload_bytes)
            self._payload_bytes += sum(payload_bytes)
            self._fault = fault

    def report(
        self,
        *,
        n_refused: int = 0,
        n_drift_alarms: int = 0,
        n_refined: int = 0,
        n_retracted: int = 0,
        n_given_up: int = 0,
        n_waiting: int = 0,
        last_error: str = "",
        stopped: bool = False,
    ) -> wire.EdgeReport:
        """All that was counted so far, with what others count; `last_error` is the last answer's if empty."""
        with self._lock:
            kinds, latency, n_failed = dict(self._kinds), tuple(self._latency), self._n_failed
            payload_bytes, fault = self._payload_bytes, self._fault
        exits = {exit: n for (source, exit, _), n in kinds.items() if source == "exit" and exit is not None}
        n_samples = sum(kinds.values()) + n_failed
        return wire.EdgeReport(
            edge=self._name,
            version=__version__,
            model=self._bundle.name,
            mode=self._mode,
            head_digest=self._bundle.features_digest,
            uptime_s=self._clock() - self._began,
            n_samples=n_samples,
            exits=dict(sorted(exits.items(), key=lambda item: -item[1])[: wire.MAX_EXITS]),
            n_offloaded=sum(n for (_, _, offloaded), n in kinds.items() if offloaded) + n_failed,
            n_tail=sum(n for (source, _, _), n in kinds.items() if source == "tail"),
            n_fallbacks=sum(n for (source, _, _), n in kinds.items() if source == "fallback"),
            payload_bytes=payload_bytes,
            raw_bytes=n_samples * self._sample_bytes,
            latency=latency,
            n_failed=n_failed,
            n_refused=n_refused,
            n_refined=n_refined,
            n_retracted=n_retracted,
            n_given_up=n_given_up,
            n_waiting=n_waiting,
            n_drift_alarms=n_drift_alarms,
            last_error=_short(last_error or str(fault or "")),
            stopped=stopped,
        )


def _short(text: str) -> str:
    """As much as a report takes; half characters, which no encoding has, replaced."""
    return text.encode(errors="replace").decode()[: wire.MAX_ERROR_CHARACTERS]
