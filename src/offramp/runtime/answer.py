"""What the edge says about samples."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from offramp.errors import DataError, OfframpError
from offramp.exits import max_softmax
from offramp.runtime.network import Real

Source = Literal["exit", "tail", "local", "fallback", "provisional"]


@dataclass(frozen=True, eq=False)
class Answer:
    """What the edge says about one sample.

    Args:
        label: class number; `name` is its name.
        scores: (n_classes,) of whoever answered.
        confidence: of an exit, what its rule makes of the scores; else their largest softmax.
        source: an "exit" was sure; "tail" was asked; "local" ran the tail here; "fallback" is the exit's
            verdict where the tail should have answered, and `fault` and `reason` say why it did not;
            "provisional" is the exit's verdict too, and the tail's will follow, see `RefiningEdge`.
        exit: the exit of this device whose verdict it is, "exit" at the cut or an inner one as in
            "exit-head-2"; None where no exit answered, or one on the server.
        offloaded: the sample was handed to the wire, answered or not.
        latency_s: from the call to when this answer was known.
        payload_bytes: this sample's coded features, or raw values, handed to the wire or kept for it; 0 where
            nothing was.
        n_macs: multiply-adds executed on this device for this sample, but for a decision near the threshold
            that was made once more, see `Cascade`.
        id: the sample's, in a `RefiningEdge`.
    """

    label: int
    name: str
    scores: npt.NDArray[np.float32]
    confidence: float
    source: Source
    exit: str | None
    offloaded: bool
    latency_s: float
    payload_bytes: int
    fault: OfframpError | None
    n_macs: int
    id: str = ""

    @property
    def final(self) -> bool:
        """No other answer to this sample will follow."""
        return self.source != "provisional"

    @property
    def reason(self) -> str | None:
        """The fault in words."""
        return None if self.fault is None else str(self.fault)


class Answers:
    """The answers to some samples, as they become known.

    Args:
        n: how many samples.
        classes: a name for each score.
        started: when they were asked for, by `time.perf_counter`.
        first, of: these are the samples from number `first` on, of so many that were asked for together.
        ids: of each sample, None for none.
    """

    def __init__(
        self,
        n: int,
        classes: Sequence[str],
        started: float,
        *,
        first: int = 0,
        of: int = 1,
        ids: Sequence[str] | None = None,
    ) -> None:
        self._answers: list[Answer | None] = [None] * n
        self._classes = classes
        self._started = started
        self._first = first
        self._of = of
        self.ids = ids or [""] * n

    def add(
        self,
        rows: npt.NDArray[np.intp],
        scores: Real,
        *,
        source: Source,
        n_macs: int,
        confidence: npt.NDArray[np.float64] | None = None,
        exit: str | None = None,
        payload_bytes: Sequence[int] | None = None,
        fault: OfframpError | None = None,
    ) -> None:
        """The answers to the samples `rows`, known from now on, with scores (len(rows), n_classes).

        Args:
            confidence: (len(rows),), None for the largest softmax.
            payload_bytes: of each sample, None for nothing handed to the wire.

        Raises:
            DataError: scores that are no verdict.
        """
        self.check_finite(rows, scores, "the scores overflow")
        sure = max_softmax(scores) if confidence is None else confidence
        latency_s = time.perf_counter() - self._started
        columns = zip(
            rows.tolist(),
            scores.argmax(axis=1).tolist(),
            scores.astype(np.float32, copy=False),  # integer scores have ranks that float32 cannot tell apart
            sure.tolist(),
            payload_bytes or (0,) * len(rows),
            strict=True,
        )
        for row, label, own_scores, own_confidence, n_bytes in columns:
            self._answers[row] = Answer(
                label=label,
                name=self._classes[label],
                scores=own_scores,
                confidence=own_confidence,
                source=source,
                exit=exit,
                offloaded=payload_bytes is not None,
                latency_s=latency_s,
                payload_bytes=n_bytes,
                fault=fault,
                n_macs=n_macs,
                id=self.ids[row],
            )

    def check_finite(self, rows: npt.NDArray[np.intp], values: npt.NDArray[Any], what: str) -> None:
        """Raise DataError unless these values (len(rows), ...) of the samples `rows` are finite."""
        finite = np.isfinite(values)
        if not finite.all():
            row = self._first + int(rows[finite.all(axis=1).argmin()])
            which = "this sample" if self._of == 1 else f"sample {row} of {self._of}"
            raise DataError(f"{what} on {which}; look for values far outside the data")

    def placed(self, error: DataError) -> DataError:
        """An error that counts these samples from 0, with the number of the first of them."""
        return DataError(f"from sample {self._first} on: {error}") if self._first else error

    def in_order(self) -> list[Answer]:
        """One answer for each sample; all of them must be known."""
        return [answer for answer in self._answers if answer is not None]
