"""A connection to a tail, replaced when it falls silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from offramp import wire
from offramp.errors import TailUnreachableError
from offramp.runtime.security import ClientCredentials

MAX_MESSAGE_BYTES = (
    1024 * 1024
)  # of an edge's request and its answer; a tail takes 4 MiB unless told otherwise
CONNECTING_S = 2.0  # what one attempt to connect may take, well above a slow link's round trip

_OPTIONS = [
    # A tail that is back should be found again soon; gRPC would wait for seconds, then minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", int(1000 * CONNECTING_S)),  # the time of an attempt, despite its name
    # One attempt: the exit's verdict is at hand, and is worth more than a late answer.
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),  # the address given is the address called
    ("grpc.use_local_subchannel_pool", 1),  # two edges in one process are two devices
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
]


class Connection:
    """One channel and its calls. gRPC connects it when it is first used, and again where that breaks."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        self._channel = (
            grpc.insecure_channel(address, options=_OPTIONS)
            if credentials is None
            else grpc.secure_channel(address, credentials, options=_OPTIONS)
        )
        self.infer, self.model_ready = (
            self._channel.unary_unary(f"/{wire.SERVICE}/{name}") for name in ("ModelInfer", "ModelReady")
        )
        self.report = self._channel.unary_unary(f"/{wire.FLEET_SERVICE}/Report")
        self.credentials = credentials
        self.since_s = time.monotonic()
        self.has_answered = False
        self.n_lost = 0  # calls in a row without an answer,
        self.silent_since_s = self.since_s  # of which the first began then
        self.n_calls = 0  # under way

    def close(self) -> None:
        """Ends it, and with it the calls under way."""
        self._channel.close()


class Line:
    """The connection to use now. Thread-safe.

    TCP may repeat itself for a quarter of an hour on a connection whose other end is gone without a word:
    where a NAT forgot it, or the peer died behind a black hole. So one that left several calls in a row
    without an answer is replaced, as is one whose certificates have changed. The old one is closed when its
    calls are done.

    Args:
        lost_calls: so many in a row.
    """

    def __init__(self, address: str, credentials: ClientCredentials, *, lost_calls: int) -> None:
        self._address = address
        self._credentials = credentials
        self._lost_calls = lost_calls
        self._lock = threading.Lock()
        self._newest = Connection(address, credentials.for_grpc())
        self._closed = False
        self._n_replaced = 0

    @property
    def n_replaced(self) -> int:
        """Connections replaced because they were silent."""
        return self._n_replaced

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """The newest, kept open until the block ends.

        Raises:
            TailUnreachableError: the line is closed, before or meanwhile.
        """
        connection = self.take()
        try:
            yield connection
        except ValueError as error:  # how gRPC calls it
            raise self.gone() from error
        finally:
            self.give_back(connection)

    def take(self) -> Connection:
        """The newest, kept open until `give_back`."""
        with self._lock:
            if self._closed:
                raise self.gone()
            credentials = self._credentials.for_grpc()
            if credentials is not self._newest.credentials:
                self._replace(credentials)
            self._newest.n_calls += 1
            return self._newest

    def give_back(self, connection: Connection) -> None:
        """A call has come to its end."""
        with self._lock:
            connection.n_calls -= 1
            self._close_if_unused(connection)

    @contextmanager
    def judged(self, connection: Connection, began_s: float) -> Iterator[None]:
        """Around the end of a call that began then: whether the connection still brings answers."""
        try:
            yield
        except grpc.RpcError as error:
            code = error.code()
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                self.lost(connection, began_s)
            elif code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                self.heard(connection)
            raise
        self.heard(connection)

    def heard(self, connection: Connection) -> None:
        """Something came over it, whatever it was."""
        with self._lock:
            connection.has_answered, connection.n_lost = True, 0

    def lost(self, connection: Connection, began_s: float) -> None:
        """A call that began then, by the monotonic clock, got no answer until its deadline."""
        with self._lock:
            if self._counts_as_lost(connection, began_s):
                self._replace_silent(connection)

    def overtaken(self, connection: Connection, began_s: float, *, by_later: bool) -> None:
        """A call that began then was cancelled: the same request was answered over another connection.

        That is soon, so it has to happen for some time until the connection is replaced.

        Args:
            by_later: the other call began after this one. Being overtaken by an earlier one says nothing
                about a connection that has left no call without an answer before.
        """
        with self._lock:
            counts = (by_later or connection.n_lost) and self._counts_as_lost(connection, began_s)
            if counts and began_s >= connection.silent_since_s + CONNECTING_S:
                self._replace_silent(connection)

    def _counts_as_lost(self, connection: Connection, began_s: float) -> bool:
        # One that is still connecting cannot answer yet. Replaced too early it never would.
        if not connection.has_answered and began_s < connection.since_s + CONNECTING_S:
            return False
        if not connection.n_lost:
            connection.silent_since_s = began_s
        connection.n_lost += 1
        return True

    def _replace_silent(self, connection: Connection) -> None:
        if connection.n_lost >= self._lost_calls and connection is self._newest and not self._closed:
            self._n_replaced += 1
            self._replace(connection.credentials)

    def gone(self) -> TailUnreachableError:
        """The error of a call on a line that is closed."""
        return TailUnreachableError(f"the connection to tail {self._address} was closed on this side")

    def close(self) -> None:
        """Ends the connection; closing twice is fine."""
        with self._lock:
            self._closed = True
            newest = self._newest
        newest.close()

    def _replace(self, credentials: grpc.ChannelCredentials | None) -> None:
        old, self._newest = self._newest, Connection(self._address, credentials)
        self._close_if_unused(old)

    def _close_if_unused(self, connection: Connection) -> None:
        if connection is not self._newest and not connection.n_calls:
            connection.close()
