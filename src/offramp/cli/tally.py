"""The answers of a run, one after the other, and what is to be said of them all."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from offramp.bundle import Preprocessing
from offramp.cli.console import note
from offramp.cli.samples import Sample, sample_from_line
from offramp.errors import DataError, TailRefusedError
from offramp.runtime import Answer, TailCounts

Ask = Callable[[Sequence[Sample]], list[Answer]]


@dataclass
class Tally:
    """What a run has seen so far."""

    n_correct: int = 0
    n_labelled: int = 0
    n_skipped: int = 0
    payload_bytes: int = 0
    n_refused: int = 0
    n_drift_alarms: int = 0
    tail_counts: TailCounts = field(default_factory=TailCounts)
    answering_s: float = 0.0  # without reading and printing
    reason: str = ""  # of the last fallback
    latencies_s: list[float] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)

    def count(self, sample: Sample, answer: Answer) -> dict[str, Any]:
        """Count an answer; gives its line of output."""
        self.latencies_s.append(answer.latency_s)
        exit = answer.exit if answer.source == "exit" else None
        self.sources[exit or answer.source] += 1
        self.payload_bytes += answer.payload_bytes
        line = {
            "id": sample.id,
            "label": answer.label,
            "class": answer.name,
            "confidence": answer.confidence,
            "source": answer.source,
            "latency_s": answer.latency_s,
            "payload_bytes": answer.payload_bytes,
        }
        if answer.exit is not None:
            line["exit"] = answer.exit
        if answer.reason is not None:
            line["reason"] = self.reason = answer.reason
            self.n_refused += isinstance(answer.fault, TailRefusedError)
        if sample.truth is not None:
            line["correct"] = answer.name == sample.truth
            self.n_labelled += 1
            self.n_correct += answer.name == sample.truth
        return line

    def readable(self, lines: Iterable[bytes], preprocessing: Preprocessing) -> Iterator[Sample]:
        """The samples in lines of JSON; a line that holds none is told of, counted and left out."""
        for number, line in enumerate(lines, start=1):
            if line.isspace():
                continue
            try:
                yield sample_from_line(line, number, preprocessing)
            except DataError as error:
                self.skip(f"line {number}", error)

    def answered(
        self, samples: Iterator[Sample], ask: Ask, *, batch: int, limit: int | None, skipping: bool
    ) -> Iterator[tuple[Sample, Answer]]:
        """The samples with their answers, in order.

        Args:
            ask: answers samples, or raises DataError for any of them.
            batch: how many are answered together.
            limit: of answers.
            skipping: one that overflows is left out, as an unreadable line is; else it raises DataError.
        """
        n_left = sys.maxsize if limit is None else limit
        while block := list(islice(samples, min(batch, n_left))):
            started = time.perf_counter()
            answers = self._answers(block, ask, skipping)
            self.answering_s += time.perf_counter() - started
            n_left -= len(answers)
            yield from answers

    def _answers(self, block: list[Sample], ask: Ask, skipping: bool) -> list[tuple[Sample, Answer]]:
        try:
            return list(zip(block, ask(block), strict=True))
        except DataError as error:
            if not skipping:
                raise
            if len(block) == 1:
                id = block[0].id
                self.skip(f"line {id}" if isinstance(id, int) else f"sample {id!r}", error)
                return []
        # Which of them it was shows when each is asked alone.
        return [pair for sample in block for pair in self._answers([sample], ask, skipping)]

    def skip(self, what: str, error: DataError) -> None:
        self.n_skipped += 1
        note(f"{what} skipped: {error}")

    def check(self) -> None:
        """Raise where a run that came to its end has failed all the same.

        Raises:
            DataError: lines were skipped.
            TailRefusedError: the tail is there, and took none of the offloads.
        """
        n_offloads = self.sources["tail"] + self.sources["fallback"]
        if self.n_refused and self.n_refused == n_offloads:
            raise TailRefusedError(f"all {n_offloads} offloads were refused: {self.reason}")
        if self.n_skipped:
            raise DataError(f"lines skipped: {self.n_skipped}, as said above; every other one was answered")

    def summary(self) -> str:
        """One line for people."""
        n = len(self.latencies_s)
        if n == 0:
            return "no sample answered"
        p50, p99 = 1000 * np.quantile(self.latencies_s, [0.5, 0.99])
        parts = [f"{n:,} answered"]
        if self.n_labelled:
            parts.append(f"accuracy {self.n_correct / self.n_labelled:.2%}")
        parts += [
            f"{source} {count / n:.1%}" + (f" ({self.reason})" if source == "fallback" else "")
            for source, count in self.sources.most_common()
        ]
        parts.append(f"{self.payload_bytes / n:.1f} payload bytes a sample")
        parts.append(f"latency p50 {p50:.3g} ms, p99 {p99:.3g} ms")
        parts.append(f"{n / max(self.answering_s, 1e-9):,.0f} samples/s")
        if told := troubles(self.tail_counts):
            parts.append(f"requests to the tail: {told}")
        if self.n_drift_alarms:
            parts.append(f"drift alarms {self.n_drift_alarms}")
        return ", ".join(parts)


def troubles(counts: TailCounts) -> str:
    """What happened to requests beside answers."""
    return ", ".join(
        f"{name.replace('_', ' ')} {n}" for name, n in counts._asdict().items() if n and name != "answered"
    )
