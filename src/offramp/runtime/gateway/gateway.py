"""The way from a device's serial port to the tail."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Self

import numpy as np

from offramp.bundle import Terms
from offramp.errors import PeerError, TailBusyError, TailRefusedError
from offramp.exits import max_softmax
from offramp.runtime.client import TailClient
from offramp.runtime.gateway.answers import DeviceAnswer, GatewayCounts, GatewayTally
from offramp.runtime.gateway.line import SerialLine
from offramp.runtime.gateway.session import Question, Session
from offramp.runtime.gateway.talk import Talk
from offramp.runtime.offload import Offload, Offloads
from offramp.runtime.policy import LinkPolicy
from offramp.runtime.security import ClientSecurity
from offramp.runtime.tail_counts import TailCounts
from offramp.wire.serial import Refusal, Refused, TailAnswer, Verdict


class Gateway:
    """Asks a tail what a device on a serial line wants to know, and tells all answers. Context manager.

    Nothing is decoded here: coded features go to the tail as they came.

    Args:
        terms: of the device's bundle, see `offramp.bundle.read_terms`.
        tail: "host:port".
        deadline_s: after so long without an answer of the tail the device is told that there is none.
        security, policy: as of `Edge`.

    Raises:
        ConfigError: as of `TailClient`.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        tail: str,
        deadline_s: float = 0.5,
        security: ClientSecurity | None = None,
        policy: LinkPolicy | None = None,
    ) -> None:
        self._terms = terms
        self._deadline_s = deadline_s
        self._client = TailClient(tail, deadline_s=deadline_s, security=security, policy=policy)
        self._coded, self._raw = Offloads(terms, raw=False), Offloads(terms, raw=True)
        self._tally = GatewayTally()
        self._session = Session(terms, self._tally)
        self._unanswered = 0, ""  # the last such question, and why

    @property
    def counts(self) -> GatewayCounts:
        return self._tally.counts()

    @property
    def tail_counts(self) -> TailCounts:
        """What became of the requests to the tail."""
        return self._client.counts

    @property
    def stranger(self) -> str:
        """Why the device that is on the line now gets no answers; "" where it does."""
        return self._session.stranger

    @property
    def last_reason(self) -> str:
        """Why the last question without an answer has none; "" where all were answered."""
        return self._unanswered[1]

    def connect(self, timeout_s: float = 5.0) -> bool:
        """Connects to the tail now; whether it is ready. Optional."""
        return self._client.wait_until_ready(self._coded.model_name, timeout_s)

    def answers(self, line: SerialLine) -> Generator[DeviceAnswer]:
        """The device's answers as they come, until the line is lost for good or the iterator is closed.

        Raises:
            LineLostError: a line that is not waited for was not there in the first place.
        """
        return Talk(line, self._session, self._tally, self._ask, self._tell).answers()

    def close(self) -> None:
        """Ends the connection to the tail."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: Question, arrived_s: float) -> tuple[TailAnswer, DeviceAnswer] | Refusal:
        offload = self._offload(question)
        left_s = self._deadline_s - (time.monotonic() - arrived_s)
        if left_s <= 0:
            return self._refusal(question, Refused.NO_ANSWER, "others before it took all of its time")
        try:
            scores = self._client.scores(
                offload.request, n_rows=1, n_classes=len(self._terms.classes), deadline_s=left_s
            )
        except TailBusyError as error:
            return self._refusal(question, Refused.BUSY, str(error))
        except TailRefusedError as error:
            return self._refusal(question, Refused.TAIL_REFUSED, str(error))
        except PeerError as error:
            return self._refusal(question, Refused.NO_ANSWER, str(error))
        label, confidence = int(scores[0].argmax()), float(max_softmax(scores)[0])
        return TailAnswer(question.sequence, label, round(255 * confidence)), DeviceAnswer(
            sequence=question.sequence,
            label=label,
            name=self._terms.classes[label],
            source="tail",
            confidence=confidence,
            payload_bytes=len(question.values),
        )

    def _offload(self, question: Question) -> Offload:
        if not question.raw:
            return self._coded.of_rows([question.values])
        preprocessing = self._terms.preprocessing
        values = np.frombuffer(question.values, np.dtype(preprocessing.dtype).newbyteorder("<"))
        return self._raw.of(values.astype(preprocessing.dtype).reshape(1, *preprocessing.shape))

    def _refusal(self, question: Question, why: Refused, reason: str) -> Refusal:
        self._tally.add(why.name.lower())
        self._unanswered = question.sequence, reason
        return Refusal(question.sequence, why)

    def _tell(self, verdict: Verdict) -> DeviceAnswer:
        sequence, reason = self._unanswered
        fell_back = verdict.source == "fallback" and verdict.sequence == sequence
        return DeviceAnswer(
            sequence=verdict.sequence,
            label=verdict.label,
            name=self._terms.classes[verdict.label],
            source=verdict.source,
            reason=reason if fell_back else None,
        )
