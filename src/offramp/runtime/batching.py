"""Micro-batching: rows of many callers computed together, each answer given to its own caller."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np

from offramp.errors import OfframpError
from offramp.runtime.metering import Computed
from offramp.runtime.models import Compute
from offramp.runtime.network import FloatArray

logger = logging.getLogger(__name__)

FAILED = "the model failed on this input; the server's log says why"


@dataclass(frozen=True, eq=False)
class _Waiting:
    rows: FloatArray
    answer: Future[FloatArray] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Batcher:
    """Computes rows in threads of its own, so that whoever submits them is free to do other things.

    While one batch is computed, the next one gathers. A batch waits for at most `max_wait_s`, and only until
    as many callers are there as came last time: one caller alone never waits. Where several batches are
    computed at once, each takes its share of the callers, or the first would take all and the others idle.

    Args:
        compute: rows (n, ...) -> scores (n, n_outputs). It may raise or answer nonsense: that is told to the
            caller whose rows caused it, and to nobody else.
        n_outputs: scores in a row.
        max_batch: most rows in one call of `compute`; larger requests are cut.
        max_wait_s: how long the first caller of a batch may wait for others.
        at_once: batches that are computed at the same time, each in a thread of its own.
        lock: held while computing, for a `compute` that is shared with another batcher.
        on_computed: told, in one of the batcher's threads at a time and before answers are given, what each
            batch came to that the model did not fail on.
    """

    def __init__(
        self,
        compute: Compute,
        *,
        n_outputs: int,
        max_batch: int,
        max_wait_s: float,
        at_once: int = 1,
        lock: AbstractContextManager[object] | None = None,
        on_computed: Callable[[Computed], None] = lambda batch: None,
    ) -> None:
        self._compute = compute
        self._n_outputs = n_outputs
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._lock = nullcontext() if lock is None else lock
        self._on_computed = on_computed
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._gathering, self._telling = threading.Lock(), threading.Lock()
        self._taken = [0] * at_once  # callers whose rows each thread computes
        self._usual_share = 1
        # Daemons: a `compute` that never returns must not keep the process alive after the drain.
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name="offramp-batcher", daemon=True)
            for number in range(at_once)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, rows: FloatArray) -> Future[FloatArray]:
        """The scores (n, n_outputs) of rows (n, ...), later; OfframpError where the model fails on them."""
        waiting = _Waiting(rows)
        self._queue.put(waiting)
        return waiting.answer

    def close(self, timeout_s: float = 1.0) -> None:
        """Ends the threads once everything submitted is computed, or leaves them behind after the timeout."""
        self._queue.put(None)
        until = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _run(self, number: int) -> None:
        while batch := self._next(number):
            # Skip those whose caller gave up meanwhile.
            batch = [waiting for waiting in batch if waiting.answer.set_running_or_notify_cancel()]
            for waiting, outcome in zip(batch, self._outcomes(batch), strict=True):
                if isinstance(outcome, OfframpError):
                    waiting.answer.set_exception(outcome)
                else:
                    waiting.answer.set_result(outcome)

    def _next(self, number: int) -> list[_Waiting]:
        """The next batch, gathered by one thread at a time; empty when closed."""
        self._taken[number] = 0
        with self._gathering:
            batch = self._gather()
            self._usual_share = self._share(len(batch))
            self._taken[number] = len(batch)
            return batch

    def _share(self, n_callers: int) -> int:
        """Of all callers without an answer, what one thread should take; it has taken `n_callers` now."""
        return math.ceil((n_callers + self._queue.qsize() + sum(self._taken)) / len(self._taken))

    def _gather(self) -> list[_Waiting]:
        first = self._queue.get()
        if first is None:
            self._queue.put(None)  # for the other threads
            return []
        batch, n_rows = [first], len(first.rows)
        until = time.monotonic() + self._max_wait_s
        while n_rows < self._max_batch and len(batch) < max(self._usual_share, self._share(len(batch))):
            patience = until - time.monotonic() if len(batch) < self._usual_share else 0.0
            try:
                waiting = self._queue.get(block=patience > 0, timeout=max(patience, 0.0))
            except queue.Empty:
                break
            if waiting is None:
                self._queue.put(None)  # found again after this batch
                break
            batch.append(waiting)
            n_rows += len(waiting.rows)
        return batch

    def _outcomes(self, batch: Sequence[_Waiting]) -> list[FloatArray | OfframpError]:
        """Scores or an error for each request."""
        if not batch:
            return []
        try:
            scores = self._scores(batch)
        except Exception:
            if len(batch) > 1:  # find out whose rows they were
                return [self._outcomes([waiting])[0] for waiting in batch]
            logger.exception("the model failed on rows of shape %s", batch[0].rows.shape)
            return [OfframpError(FAILED)]
        ends = np.cumsum([len(waiting.rows) for waiting in batch])[:-1]
        parts = np.split(scores, ends)
        return [_finite(part, waiting.rows.shape) for part, waiting in zip(parts, batch, strict=True)]

    def _scores(self, batch: Sequence[_Waiting]) -> FloatArray:
        rows = np.concatenate([waiting.rows for waiting in batch])
        slices = [rows[i : i + self._max_batch] for i in range(0, len(rows), self._max_batch)]
        with self._lock:
            began = time.monotonic()
            computed = [np.asarray(self._compute(part)) for part in slices]
            took_s = time.monotonic() - began
        for part, scores in zip(slices, computed, strict=True):
            if scores.shape != (len(part), self._n_outputs):
                raise ValueError(f"scores of shape {scores.shape} for {len(part)} rows")
        with np.errstate(over="ignore"):
            joined = np.concatenate(computed).astype(np.float32, copy=False)
        waited_s = sum(began - waiting.since for waiting in batch)
        with self._telling:
            self._on_computed(Computed(len(batch), len(rows), len(slices), waited_s, took_s))
        return joined


def _finite(scores: FloatArray, shape: tuple[int, ...]) -> FloatArray | OfframpError:
    if np.isfinite(scores).all():
        return scores
    logger.error("the model answered NaN or infinity to rows of shape %s", shape)
    return OfframpError(FAILED)
