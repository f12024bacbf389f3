"""A request over one connection, and after some time over a second one too."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from offramp.errors import PeerError
from offramp.runtime.connection import Line

_T = TypeVar("_T")


class Sent:
    """A request on its way; nobody waits for it here.

    Args:
        done: called with this once it has come to its end, in a thread of gRPC.
    """

    def __init__(
        self,
        line: Line,
        data: bytes,
        *,
        deadline_s: float,
        metadata: tuple[tuple[str, str], ...],
        done: Callable[[Sent], None],
    ) -> None:
        self.line = line
        self._began_s = time.monotonic()
        self._connection = line.take()
        try:
            self._call = self._connection.infer.future(
                data, timeout=deadline_s, metadata=metadata, wait_for_ready=False
            )
        except ValueError as error:  # closed since
            line.give_back(self._connection)
            raise line.gone() from error
        self._call.add_done_callback(lambda _: self._end(done))

    def answer(self) -> bytes | None:
        """What came, once it is done; None where the call ended well and its message was lost on the way.

        Raises:
            grpc.RpcError: nothing came, or an error.
        """
        with self.line.judged(self._connection, self._began_s):
            data: bytes | None = self._call.result()
            return data

    def overtaken(self, *, by_later: bool) -> None:
        """The same request, sent earlier or later, has been answered."""
        self.line.overtaken(self._connection, self._began_s, by_later=by_later)

    def cancel(self) -> None:
        """Nobody wants the answer any more; fine if it is there."""
        self._call.cancel()

    def _end(self, done: Callable[[Sent], None]) -> None:
        self.line.give_back(self._connection)
        done(self)


def first_believed(
    send: Callable[[int, Callable[[Sent], None]], Sent], judge: Callable[[Sent], _T], *, hedge_after_s: float
) -> _T:
    """The first answer that `judge` believes, of a request sent once or twice; the other one is cancelled.

    Args:
        send: sends it the first time (0) or the second (1), each over a connection of its own, and hands it
            to its second argument once it is done.
        judge: PeerError for what it does not believe.
        hedge_after_s: the second time comes when neither answer nor error came for so long.

    Raises:
        PeerError: of what came last, where nothing is to be believed.
    """
    done: SimpleQueue[Sent] = SimpleQueue()
    under_way = [send(0, done.put)]
    n_done = 0
    try:
        while True:
            try:
                sent = done.get(timeout=hedge_after_s if len(under_way) == 1 else None)
            except Empty:
                under_way.append(send(1, done.put))
                continue
            n_done += 1
            try:
                believed = judge(sent)
            except PeerError:
                if n_done == len(under_way):
                    raise
                continue
            for other in under_way:
                if other is not sent and n_done == 1:
                    other.overtaken(by_later=sent is under_way[1])
            return believed
    finally:
        for sent in under_way:
            sent.cancel()
