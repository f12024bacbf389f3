"""A run with one answer to each sample."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from offramp.cli.console import print_json_line
from offramp.cli.samples import Sample
from offramp.runtime import Answer, Edge


class Direct:
    """Answers samples once, and waits for the tail where an exit is not sure. Context manager.

    Args:
        edge: is closed at the end.
    """

    not_ready = "where it does not answer, the exit's verdict stands"

    def __init__(self, edge: Edge) -> None:
        self.edge = edge

    def ask(self, samples: Sequence[Sample]) -> list[Answer]:
        """The answers to these samples."""
        return self.edge.infer_many(np.stack([sample.raw for sample in samples]))

    def show(self, line: dict[str, Any], answer: Answer, truth: str | None) -> None:
        """Print the line of an answer."""
        print_json_line(line)

    def finish(self) -> None:
        """Nothing is to come."""

    def summary(self, n_labelled: int, n_correct: int) -> str:
        """Nothing more than the tally knows."""
        return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.edge.close()
