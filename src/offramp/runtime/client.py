"""The edge's side of the connection to a tail."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random

import grpc
import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.errors import ConfigError, PeerError, TailBusyError, TailRefusedError, TailUnreachableError
from offramp.runtime.belief import Belief, Question, arrived
from offramp.runtime.breaker import Breaker
from offramp.runtime.connection import MAX_MESSAGE_BYTES, Line
from offramp.runtime.faults import peer_error
from offramp.runtime.hedging import Sent, first_believed
from offramp.runtime.policy import LinkPolicy
from offramp.runtime.security import ClientCredentials, ClientSecurity
from offramp.runtime.tail_counts import TailCounts, Tally

__all__ = ["MAX_MESSAGE_BYTES", "TailClient"]

_ADDRESS = re.compile(r"([^\s:/\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")
REPORT_DEADLINE_S = 2.0


class TailClient:
    """Asks one tail over one connection, which is kept, and found again when it breaks. Thread-safe.

    A tail that does not answer several times in a row is left alone for a while: requests fail at once, until
    one is due to ask it again, see `Breaker`. Every request carries a check; which answers are believed says
    `Belief`.

    Args:
        address: "host:port".
        deadline_s: the longest that connecting and answering may take together.
        security: TLS and token; both are followed when their files change, by a new connection for TLS.
        policy: when a silent tail is asked again, and when a request is sent twice.
        rng: spreads the waits of several devices.

    Raises:
        ConfigError: no such address, no such deadline, files of `security` that cannot be used, or a token
            that would cross a network in the clear.
    """

    def __init__(
        self,
        address: str,
        *,
        deadline_s: float,
        security: ClientSecurity | None = None,
        policy: LinkPolicy | None = None,
        rng: Random | None = None,
    ) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match[2]) < 65536:
            raise ConfigError(f"tail address {address!r}; use host:port, for example 127.0.0.1:8001")
        self._address = address
        self._deadline_s = _checked(deadline_s)
        security = security or ClientSecurity()
        security.check_host(match[1])
        self._encrypted = security.ca is not None
        self._credentials = ClientCredentials(security)
        policy = policy or LinkPolicy()
        self._hedge_after_s = policy.hedge_after_s
        self._lines = [
            Line(address, self._credentials, lost_calls=policy.failures_to_open)
            for _ in range(1 if policy.hedge_after_s is None else 2)
        ]
        self._first = 0  # of the lines: the one that brought the last answer
        self._tally = Tally()
        self._belief = Belief(address, self._tally)
        self._lock = threading.Lock()  # of these two
        self._breaker = Breaker(policy, rng or Random())
        self._last_failure = ""

    @property
    def retry_in_s(self) -> float:
        """Seconds until a request would be sent; 0.0 when it would be now."""
        with self._lock:
            return self._breaker.wait_s(time.monotonic())

    @property
    def counts(self) -> TailCounts:
        """What became of all requests so far."""
        with self._lock:
            n_opened = self._breaker.n_opened
        return self._tally.counts(opened=n_opened, replaced=sum(line.n_replaced for line in self._lines))

    def scores(
        self,
        request: wire.InferRequest,
        *,
        n_rows: int,
        n_classes: int,
        deadline_s: float | None = None,
        waits_for_probe: bool = True,
    ) -> npt.NDArray[np.float32]:
        """The tail's scores (n_rows, n_classes) for a request of so many rows: all of them, or an error.

        Args:
            deadline_s: for this request; that of the client by default.
            waits_for_probe: if this request is the one that asks a silent tail again, whether to wait for the
                answer. If not it is sent, fails at once all the same, and an answer lets later ones pass.

        Raises:
            TailUnreachableError: nobody there, or not in time; or not sent, because nobody was before.
            TailBusyError: the tail has too much to do.
            TailRefusedError: the tail answered with another error.
            WireError: an answer that cannot be believed.
            ConfigError: no such deadline.
        """
        deadline_s = self._deadline_s if deadline_s is None else _checked(deadline_s)
        question = Question(wire.checked_request(request), n_rows, n_classes, deadline_s)
        number = self._passes(question, waits_for_probe)
        try:
            with self._concluding(number):
                hedges = self._hedge_after_s is not None and self._hedge_after_s < deadline_s
                scores = self._asked_twice(question) if hedges else self._asked(question)
        except TailUnreachableError:
            self._tally.add("unreachable")
            raise
        except TailRefusedError:
            self._tally.add("refused")
            raise
        self._tally.add("answered")
        return scores

    def wait_until_ready(self, model_name: str, timeout_s: float) -> bool:
        """Connects now; whether the tail says within `timeout_s` that this model is ready."""
        ends_s = time.monotonic() + timeout_s
        query, metadata = wire.ModelQuery(model_name).to_bytes(), self._credentials.metadata()
        for line in self._lines:
            left_s = max(0.0, ends_s - time.monotonic())
            try:
                with line.connection() as connection:
                    data = connection.model_ready(
                        query, timeout=left_s, metadata=metadata, wait_for_ready=True
                    )
                if not wire.read_ready(arrived(data)):
                    return False
            except (grpc.RpcError, PeerError):
                return False
        with self._lock:
            self._breaker.answered()
        return True

    def report(self, data: bytes) -> bool:
        """Hands an `EdgeReport` over, in at most REPORT_DEADLINE_S; False where the server takes none.

        Neither waits for a tail that is left alone nor says anything about it: no answer hangs on a report.

        Raises:
            PeerError: it did not arrive, or was refused.
        """
        with self._lines[0].connection() as connection:
            try:
                connection.report(data, timeout=REPORT_DEADLINE_S, metadata=self._credentials.metadata())
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return False
                raise peer_error(
                    error, tail=self._address, deadline_s=REPORT_DEADLINE_S, encrypted=self._encrypted
                ) from error
        return True

    def close(self) -> None:
        """Ends the connection; calls under way fail."""
        for line in self._lines:
            line.close()

    def _passes(self, question: Question, waits_for_probe: bool) -> int:
        """The number of a request that is to be sent, and waited for, now."""
        with self._lock:
            number = self._breaker.passes(time.monotonic())
            if number is not None and (waits_for_probe or not self._breaker.probing):
                return number
            held_back = self._held_back()
        self._tally.add("held_back")
        if number is not None:
            self._probe(question, number)
        raise TailUnreachableError(held_back)

    def _held_back(self) -> str:
        wait_s = self._breaker.wait_s(time.monotonic())
        when = "is being asked again now" if self._breaker.probing else f"is asked again in {wait_s:.1f} s"
        return (
            f"tail {self._address} did not answer {self._breaker.n_failures} times in a row"
            f" (last: {self._last_failure}); it {when}"
        )

    def _probe(self, question: Question, number: int) -> None:
        """Sends a request for which nobody waits."""

        def done(sent: Sent) -> None:
            with suppress(PeerError), self._concluding(number):
                self._judged(sent, question)

        with suppress(TailUnreachableError), self._given_up_if_it_fails(number):
            self._sent(self._lines[self._first], question, time.monotonic() + question.deadline_s, done)

    @contextmanager
    def _concluding(self, number: int) -> Iterator[None]:
        """Around a request: what its end says about the tail."""
        with self._given_up_if_it_fails(number):
            try:
                yield
            except (TailUnreachableError, TailBusyError) as error:
                with self._lock:
                    self._last_failure = str(error).removeprefix(f"tail {self._address} ")
                    self._breaker.failed(number, time.monotonic())
                raise
            except PeerError:
                with self._lock:
                    self._breaker.answered()
                raise
            with self._lock:
                self._breaker.answered()

    @contextmanager
    def _given_up_if_it_fails(self, number: int) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with self._lock:
                self._breaker.given_up(number)  # nothing, where it had an outcome
            raise

    def _asked(self, question: Question) -> npt.NDArray[np.float32]:
        line, began_s = self._lines[self._first], time.monotonic()
        data = question.request.to_bytes()
        with line.connection() as connection:
            try:
                with line.judged(connection, began_s):
                    answer = connection.infer(
                        data,
                        timeout=question.deadline_s,
                        metadata=self._credentials.metadata(),
                        wait_for_ready=False,
                    )
            except grpc.RpcError as error:
                raise self._fault(error, question) from error
        return self._belief.scores(answer, question)

    def _asked_twice(self, question: Question) -> npt.NDArray[np.float32]:
        """If the first time takes long, that is.

        A lost segment holds up all that follows on its connection, so the one that brought the last answer
        comes first.
        """
        assert self._hedge_after_s is not None, "else it is asked once"
        first, ends_s = self._first, time.monotonic() + question.deadline_s

        def send(number: int, done: Callable[[Sent], None]) -> Sent:
            if number:
                self._tally.add("hedged")
            return self._sent(self._lines[first - number], question, ends_s, done)

        def judge(sent: Sent) -> npt.NDArray[np.float32]:
            scores = self._judged(sent, question)
            self._first = self._lines.index(sent.line)
            return scores

        return first_believed(send, judge, hedge_after_s=self._hedge_after_s)

    def _sent(self, line: Line, question: Question, ends_s: float, done: Callable[[Sent], None]) -> Sent:
        return Sent(
            line,
            question.request.to_bytes(),
            deadline_s=ends_s - time.monotonic(),
            metadata=self._credentials.metadata(),
            done=done,
        )

    def _judged(self, sent: Sent, question: Question) -> npt.NDArray[np.float32]:
        try:
            answer = sent.answer()
        except grpc.RpcError as error:
            raise self._fault(error, question) from error
        return self._belief.scores(answer, question)

    def _fault(self, error: grpc.RpcError, question: Question) -> PeerError:
        return peer_error(
            error, tail=self._address, deadline_s=question.deadline_s, encrypted=self._encrypted
        )


def _checked(deadline_s: float) -> float:
    if not 0 < deadline_s < 3600:
        raise ConfigError(f"deadline_s={deadline_s}; use a number of seconds above 0, below 3600")
    return deadline_s
