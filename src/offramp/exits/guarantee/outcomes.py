"""What exits and tail said to samples, and who answers them at a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError
from offramp.exits.rule import NEVER, ExitRule

TAIL = -1  # in the place of an exit's number


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What each exit, in order of execution, and the tail said to n samples.

    With a threshold t, a sample is answered by the first exit whose confidence is at least t, else by the
    tail.

    Args:
        confidence: (n_exits, n), in [0, 1]; NaN where an exit is never sure.
        exit_labels: (n_exits, n) class numbers.
        tail_labels: (n,) class numbers, from features as they arrive.
        labels: (n,) the true class numbers; None where nobody knows them.
        on_edge: (n_exits,) whether an exit runs on the device; those that do come first.

    Raises:
        InputError: arrays that do not belong together, no exits, confidences outside [0, 1].
    """

    confidence: npt.NDArray[np.float64]
    exit_labels: npt.NDArray[np.int64]
    tail_labels: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64] | None
    on_edge: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        confidence = np.asarray(self.confidence, dtype=np.float64)
        if confidence.ndim != 2 or confidence.shape[0] < 1:
            raise InputError(f"confidences of shape {confidence.shape}; give (n_exits, n), one exit or more")
        if ((confidence < 0) | (confidence > 1)).any():  # NaN is neither
            outside = confidence[(confidence < 0) | (confidence > 1)][0]
            raise InputError(f"confidence {outside}; give values in [0, 1], or NaN where never sure")
        n_exits, n = confidence.shape
        object.__setattr__(self, "confidence", confidence)
        for name, shape in (("exit_labels", (n_exits, n)), ("tail_labels", (n,)), ("labels", (n,))):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, _class_numbers(name, given, shape))
        on_edge = np.asarray(self.on_edge, dtype=np.bool_)
        if on_edge.shape != (n_exits,) or (on_edge[1:] > on_edge[:-1]).any():
            raise InputError(
                f"on_edge {on_edge.tolist()} for {n_exits} exits; give one value each, the device's first"
            )
        object.__setattr__(self, "on_edge", on_edge)

    @classmethod
    def of_one_exit(
        cls,
        exit_scores: npt.ArrayLike,
        tail_scores: npt.ArrayLike,
        labels: npt.ArrayLike | None = None,
        *,
        rule: ExitRule | None = None,
    ) -> Outcomes:
        """What the scores of one exit, on the device, and of the tail mean.

        Args:
            exit_scores, tail_scores: (n, n_classes), of the same samples.
            labels: (n,) class numbers.
            rule: how sure the exit is (criterion, temperature, weights); by default max_softmax.

        Raises:
            InputError: as for `Outcomes`.
        """
        exits, tails = np.asarray(exit_scores), np.asarray(tail_scores)
        if exits.ndim != 2 or exits.shape != tails.shape:
            raise InputError(
                f"exit scores {exits.shape} and tail scores {tails.shape} do not belong together; give"
                " (n, n_classes) twice"
            )
        return cls(
            confidence=(rule or ExitRule(NEVER)).confidence(exits)[None],
            exit_labels=exits.argmax(axis=1)[None],
            tail_labels=tails.argmax(axis=1),
            labels=None if labels is None else np.asarray(labels),
            on_edge=np.array([True]),
        )

    @property
    def n(self) -> int:
        """How many samples."""
        return len(self.tail_labels)

    @property
    def n_exits(self) -> int:
        """How many exits."""
        return len(self.confidence)

    def take(self, samples: npt.NDArray[np.int64]) -> Outcomes:
        """The outcomes of these sample numbers, which may repeat."""
        return Outcomes(
            self.confidence[:, samples],
            self.exit_labels[:, samples],
            self.tail_labels[samples],
            None if self.labels is None else self.labels[samples],
            self.on_edge,
        )

    def surest(self) -> npt.NDArray[np.float64]:
        """The highest confidence up to and with each exit: (n_exits, n), -inf where none was a number.

        Exit k answers where this is at least the threshold for k and for none before it.
        """
        return np.maximum.accumulate(np.where(np.isnan(self.confidence), -np.inf, self.confidence), axis=0)

    def answered_by(self, threshold: float) -> npt.NDArray[np.int64]:
        """(n,): the number of the exit that answers at this threshold, from 0; TAIL where none does."""
        sure = self.confidence >= threshold  # (n_exits, n)
        return np.where(sure.any(axis=0), sure.argmax(axis=0), TAIL).astype(np.int64)

    def system_labels(self, threshold: float) -> npt.NDArray[np.int64]:
        """(n,): what the system answers at this threshold."""
        by = self.answered_by(threshold)
        by_exit = np.take_along_axis(self.exit_labels, np.maximum(by, 0)[None, :], axis=0)[0]
        return np.where(by == TAIL, self.tail_labels, by_exit)


def _class_numbers(name: str, given: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    values = np.asarray(given)
    if values.shape != shape or not np.issubdtype(values.dtype, np.integer):
        raise InputError(
            f"{name}: {values.dtype} {values.shape}; give class numbers {shape}, as confidence has it"
        )
    return values.astype(np.int64)
