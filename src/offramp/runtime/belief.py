"""Which answers of a tail are believed."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.errors import WireError
from offramp.runtime.tail_counts import Tally

NO_CHECKS_IN_A_ROW = 10  # more than damage takes away, one after the other


class Question(NamedTuple):
    """A request with its check, what an answer to it looks like, and how long it may take."""

    request: wire.InferRequest
    n_rows: int
    n_classes: int
    deadline_s: float


class Belief:
    """Judges the answers of one tail. Thread-safe.

    An answer with a wrong check is not believed, and from the first right check on neither is one without: a
    tail of ours is there, and damage took the check away. So many without one in a row, sound in all else,
    are another server that has taken its place; what comes after them is believed without.

    Args:
        tail: its address.
        tally: counts what is not believed.
    """

    def __init__(self, tail: str, tally: Tally) -> None:
        self._tail = tail
        self._tally = tally
        self._lock = threading.Lock()
        self._gives_checks = False  # a foreign server never does
        self._n_unchecked = 0  # in a row

    def scores(self, data: bytes | None, question: Question) -> npt.NDArray[np.float32]:
        """The scores (n_rows, n_classes) in an answer.

        Args:
            data: None where the call ended well and gRPC has no message: it was lost to damage on the way.

        Raises:
            WireError: it cannot be believed.
        """
        request = question.request
        try:
            response = wire.InferResponse.from_bytes(arrived(data))
            scores = wire.read_scores(
                response, id=request.id, n_rows=question.n_rows, n_classes=question.n_classes
            )
        except WireError:
            self._tally.add("disbelieved")
            raise
        try:
            self._check(wire.verify_response(response, request))
        except WireError:
            self._tally.add("damaged")
            raise
        return scores

    def _check(self, checked: bool) -> None:
        with self._lock:
            self._n_unchecked = 0 if checked else self._n_unchecked + 1
            self._gives_checks = checked or self._gives_checks
            if checked or not self._gives_checks:
                return
            if self._n_unchecked == NO_CHECKS_IN_A_ROW:
                self._gives_checks = False
        raise WireError(
            f"an answer without the check that tail {self._tail} gives; it was damaged on its way, or another"
            f" server took the tail's place and is believed after {NO_CHECKS_IN_A_ROW} such answers in a row"
        )


def arrived(data: bytes | None) -> bytes:
    """The message.

    Raises:
        WireError: there is none.
    """
    if data is None:
        raise WireError("the call ended without an answer; it was damaged on its way")
    return data
