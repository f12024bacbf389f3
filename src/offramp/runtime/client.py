"""The edge's side of the connection to a tail."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

import grpc
import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.errors import ConfigError, PeerError, TailBusyError, TailUnreachableError, WireError
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
_NO_CHECKS_IN_A_ROW = 10  # more than damage ever takes away, one after the other


class _Question(NamedTuple):
    """A request with its check, and what an answer to it looks like."""

    request: wire.InferRequest
    n_rows: int
    n_classes: int
    deadline_s: float


class TailClient:
    """Asks one tail over one connection, which is kept, and found again when it breaks. Thread-safe.

    A tail that does not answer several times in a row is left alone for a while: until then requests fail at
    once. The first one after that asks it again, see `Breaker`.

    Every request carries a check. An answer with a wrong one is refused, and from the first answer with a
    right one on also an answer with none: a tail of ours is there, and damage took the check away. Ten such
    answers in a row are not damage but another server, which from then on is believed without.

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
        self._encrypted = security is not None and security.ca is not None
        security = security or ClientSecurity()
        security.check_host(match[1])
        self._credentials = ClientCredentials(security)
        self._policy = policy or LinkPolicy()
        self._lines = [
            Line(address, self._credentials, lost_calls=self._policy.failures_to_open)
            for _ in range(1 if self._policy.hedge_after_s is None else 2)
        ]
        self._lock = threading.Lock()  # of what follows
        self._breaker = Breaker(self._policy, rng or Random())
        self._last_failure = ""
        self._gives_checks = False  # a foreign server never does
        self._n_unchecked = 0  # in a row
        self._tally = Tally()

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
        self, request: wire.InferRequest, *, n_rows: int, n_classes: int, deadline_s: float | None = None
    ) -> npt.NDArray[np.float32]:
        """The tail's scores (n_rows, n_classes) for a request of so many rows: all of them, or an error.

        Args:
            deadline_s: for this request; that of the client by default.

        Raises:
            TailUnreachableError: nobody there, or not in time; or not sent, because nobody was before.
            TailBusyError: the tail has too much to do.
            TailRefusedError: the tail answered with another error.
            WireError: an answer that cannot be believed.
            ConfigError: no such deadline.
        """
        deadline_s = self._deadline_s if deadline_s is None else _checked(deadline_s)
        question = _Question(wire.checked_request(request), n_rows, n_classes, deadline_s)
        with self._passing():
            hedge = (self._policy.hedge_after_s or deadline_s) < deadline_s
            scores = self._asked_twice(question) if hedge else self._asked(question)
        self._tally.add("answered")
        return scores

    def wait_until_ready(self, model_name: str, timeout_s: float) -> bool:
        """Connects now; whether the tail says within `timeout_s` that this model is ready."""
        ends_s = time.monotonic() + timeout_s
        for line in self._lines:
            if not self._is_ready(line, model_name, max(0.0, ends_s - time.monotonic())):
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
        """Ends the connection."""
        for line in self._lines:
            line.close()

    def _is_ready(self, line: Line, model_name: str, timeout_s: float) -> bool:
        query, metadata = wire.ModelQuery(model_name).to_bytes(), self._credentials.metadata()
        try:
            with line.connection() as connection:
                data = connection.model_ready(
                    query, timeout=timeout_s, metadata=metadata, wait_for_ready=True
                )
            return wire.read_ready(_there(data))
        except (grpc.RpcError, PeerError):
            return False

    @contextmanager
    def _passing(self) -> Iterator[None]:
        """Around a request: whether it may be sent at all, and what its end says about the tail."""
        with self._lock:
            number = self._breaker.passes(time.monotonic())
            held_back = number is None and self._held_back()
        if number is None:
            self._tally.add("held_back")
            raise TailUnreachableError(held_back)
        try:
            yield
        except (TailUnreachableError, TailBusyError) as error:
            with self._lock:
                self._last_failure = str(error).removeprefix(f"tail {self._address} ")
                self._breaker.failed(number, time.monotonic())
            self._tally.add("refused" if isinstance(error, TailBusyError) else "unreachable")
            raise
        except PeerError as error:
            with self._lock:
                self._breaker.answered()
            if not isinstance(error, WireError):
                self._tally.add("refused")
            raise
        except BaseException:
            with self._lock:
                self._breaker.given_up(number)
            raise
        with self._lock:
            self._breaker.answered()

    def _held_back(self) -> str:
        wait_s = self._breaker.wait_s(time.monotonic())
        when = "is being asked again now" if self._breaker.probing else f"is asked again in {wait_s:.1f} s"
        return (
            f"tail {self._address} did not answer {self._breaker.n_failures} times in a row"
            f" (last: {self._last_failure}); it {when}"
        )

    def _asked(self, question: _Question) -> npt.NDArray[np.float32]:
        line, began_s = self._lines[0], time.monotonic()
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
        return self._believed(answer, question)

    def _asked_twice(self, question: _Question) -> npt.NDArray[np.float32]:
        """If the first time takes long, that is."""
        assert self._policy.hedge_after_s is not None, "else it is asked once"
        ends_s = time.monotonic() + question.deadline_s
        data = question.request.to_bytes()

        def send(number: int, done: Callable[[Sent], None]) -> Sent:
            if number:
                self._tally.add("hedged")
            return Sent(
                self._lines[number],
                data,
                deadline_s=ends_s - time.monotonic(),
                metadata=self._credentials.metadata(),
                done=done,
            )

        def judge(sent: Sent) -> npt.NDArray[np.float32]:
            try:
                answer = sent.answer()
            except grpc.RpcError as error:
                raise self._fault(error, question) from error
            return self._believed(answer, question)

        return first_believed(send, judge, hedge_after_s=self._policy.hedge_after_s)

    def _fault(self, error: grpc.RpcError, question: _Question) -> PeerError:
        return peer_error(
            error, tail=self._address, deadline_s=question.deadline_s, encrypted=self._encrypted
        )

    def _believed(self, data: bytes | None, question: _Question) -> npt.NDArray[np.float32]:
        try:
            response = wire.InferResponse.from_bytes(_there(data))
            scores = wire.read_scores(
                response, id=question.request.id, n_rows=question.n_rows, n_classes=question.n_classes
            )
        except WireError:
            self._tally.add("disbelieved")
            raise
        try:
            self._check(wire.verify_response(response, question.request))
        except WireError:
            self._tally.add("damaged")
            raise
        return scores

    def _check(self, checked: bool) -> None:
        """Whether an answer without a check is to be believed from this tail."""
        with self._lock:
            self._n_unchecked = 0 if checked else self._n_unchecked + 1
            self._gives_checks = checked or self._gives_checks
            if checked or not self._gives_checks:
                return
            if self._n_unchecked == _NO_CHECKS_IN_A_ROW:
                self._gives_checks = False
        raise WireError(
            f"an answer without the check that tail {self._address} gives; it was damaged on its way, or"
            f" another server took the tail's place: it is believed after {_NO_CHECKS_IN_A_ROW} in a row"
        )


def _checked(deadline_s: float) -> float:
    if not 0 < deadline_s < 3600:
        raise ConfigError(f"deadline_s={deadline_s}; use a number of seconds above 0, below 3600")
    return deadline_s


def _there(data: bytes | None) -> bytes:
    """The answer; gRPC gives None where a call ended well and its message was lost to damage on the way."""
    if data is None:
        raise WireError("the call ended without an answer; it was damaged on its way")
    return data
