"""A run with two answers: first lines at once, second ones when the tail has answered."""

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Condition
from typing import Any, Self

import numpy as np

from offramp.cli.console import note, print_json_line
from offramp.cli.samples import Sample
from offramp.errors import PeerError
from offramp.runtime import Answer
from offramp.runtime.refining import Refined, RefiningEdge


class Refining:
    """Answers samples twice. Context manager: it ends once second answers are there, or have been waited for.

    Args:
        make_edge: makes the edge, given whom to tell of outcomes.
        journal: the file where it keeps offloads, None for memory. With a file, samples without ids of their
            own get such as no earlier run has given.
        settle_s: how long to wait at the end for second answers.
    """

    not_ready = "provisional answers wait for it"

    def __init__(
        self,
        make_edge: Callable[[Callable[[Refined], None]], RefiningEdge],
        journal: Path | None,
        settle_s: float,
    ) -> None:
        self._journal = journal
        self._settle_s = settle_s
        self._prefix = "" if journal is None else f"{secrets.token_hex(4)}-"
        self._changed = Condition()
        self._unsaid = set[str]()  # asked for, and its first line not printed yet
        self._let_go = False
        self._truths = dict[str, str]()
        self._n_refined = self._n_retracted = self._n_given_up = 0
        self._n_corrected = 0  # right now, less right at first
        self.edge = make_edge(self._print_second)

    def ask(self, samples: Sequence[Sample]) -> list[Answer]:
        """The first answers to these samples, each with its id."""
        ids = [self._id(sample) for sample in samples]
        with self._changed:
            self._unsaid.update(ids)
        return self.edge.infer_many(np.stack([sample.raw for sample in samples]), ids)

    def show(self, line: dict[str, Any], answer: Answer, truth: str | None) -> None:
        """Print the line of a first answer."""
        if truth is not None and not answer.final:
            self._truths[answer.id] = truth
        print_json_line(
            {"id": answer.id, "answer": "final" if answer.final else "provisional"}
            | {name: value for name, value in line.items() if name != "id"}
        )
        with self._changed:
            self._unsaid.discard(answer.id)
            self._changed.notify_all()

    def _print_second(self, refined: Refined) -> None:
        """Print the line of a second answer; never before that of the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._let_go or refined.id not in self._unsaid)
            if self._let_go:
                return
        line = {
            "id": refined.id,
            "answer": "refined",
            "label": refined.label,
            "class": refined.name,
            "confidence": refined.confidence,
            "source": "tail" if refined.reason is None else "fallback",
            "retracted": refined.retracted,
            "provisional": refined.provisional_label,
            "waited_s": refined.waited_s,
        }
        if refined.reason is not None:
            line["reason"] = refined.reason
            self._n_given_up += 1
        if (truth := self._truths.pop(refined.id, None)) is not None:
            line["correct"] = refined.name == truth
            self._n_corrected += (refined.name == truth) - (refined.provisional_name == truth)
        self._n_refined += refined.reason is None
        self._n_retracted += refined.retracted
        print_json_line(line)

    def finish(self) -> None:
        """Waits for second answers that are still to come.

        Raises:
            PeerError: some have not come, and nothing keeps them.
        """
        edge = self.edge
        if edge.settle(self._settle_s):
            return
        if edge.journal_failure:
            note(
                "the journal has stopped, so second answers are missing; what it holds comes in the next run"
            )
            return
        waiting = f"{edge.counts().pending:,}"
        if self._journal is not None:
            note(
                f"{waiting} samples still wait for the tail; they are kept in {self._journal}, and the next"
                " run with it goes on"
            )
            return
        edge.close()  # hands over what is known
        raise PeerError(
            f"{waiting} samples had no answer from the tail after {self._settle_s:g} s more:"
            f" {edge.last_fault}; give --journal FILE to keep such for the next run, or a longer --settle-s"
        )

    def summary(self, n_labelled: int, n_correct: int) -> str:
        """More of the line for people, after what is true of first answers: so many of them were correct."""
        parts = [f"refined {self._n_refined:,}", f"retracted {self._n_retracted:,}"]
        if self._n_given_up:
            parts.append(f"given up {self._n_given_up:,}")
        if n_labelled:
            parts.append(f"accuracy in the end {(n_correct + self._n_corrected) / n_labelled:.2%}")
        return ", ".join(parts)

    def __enter__(self) -> Self:
        self.edge.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        with self._changed:  # no first lines will be printed any more, and so no second ones either
            self._let_go = True
            self._changed.notify_all()
        self.edge.__exit__(*exception)

    def _id(self, sample: Sample) -> str:
        return sample.id if isinstance(sample.id, str) else f"{self._prefix}{sample.id}"
