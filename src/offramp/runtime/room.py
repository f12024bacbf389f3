"""How much of the memory requests may take at once."""

from __future__ import annotations

import asyncio

import grpc

from offramp.runtime.metering import Meter
from offramp.runtime.passage import Passage
from offramp.runtime.refusals import RefusalError


class Room:
    """Bytes for requests from their arrival until their answers are sent: messages, decoded rows, scores.

    Who has arrived when it is taken is refused at once. A message's size is not known before it is here, and
    what gRPC has of one is not in our hands; so only so many arrive at once as could take all the room, the
    others wait in the network, where HTTP/2's flow control holds them.

    Args:
        n_bytes: all there is.
        max_message_bytes: the largest message.
        meter: has the count of what is taken.

    Attributes:
        n_places: messages that may arrive at once.
        arriving: to be held while a message is awaited that is known to come.
    """

    def __init__(self, n_bytes: int, *, max_message_bytes: int, meter: Meter) -> None:
        self._n_bytes = n_bytes
        self._meter = meter
        self.n_places = max(1, n_bytes // max_message_bytes)
        self.arriving = asyncio.Semaphore(self.n_places)

    def take(self, passage: Passage, n_bytes: int) -> None:
        """Room for so many bytes more of a request.

        Raises:
            RefusalError: there is not so much.
        """
        taken = self._meter.bytes_in_flight
        others, own = taken - passage.held_bytes, passage.held_bytes + n_bytes
        if taken + n_bytes > self._n_bytes:
            raise RefusalError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{own} bytes for this request beside {others} in flight; at most {self._n_bytes} together,"
                " ask again later or send fewer rows",
            )
        passage.held_bytes += n_bytes
        self._meter.bytes_in_flight += n_bytes

    def leave(self, passage: Passage) -> None:
        """Gives back all that the request took."""
        self._meter.bytes_in_flight -= passage.held_bytes
        passage.held_bytes = 0
