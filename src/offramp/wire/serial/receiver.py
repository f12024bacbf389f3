"""Frames out of the bytes of a line that may be noisy, cut, or full of something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from offramp.errors import WireError
from offramp.wire.serial.frames import Frame, read_body, read_frame
from offramp.wire.serial.stuffing import longest_stuffed, unstuffed


@dataclass(frozen=True)
class Damaged:
    """Bytes between two zeros that are no frame: noise, or what is left of one."""

    n_bytes: int


@dataclass(frozen=True)
class Strange:
    """A frame that arrived whole and means nothing here: of another version, or not as the format says."""

    why: str


Event = Frame | Damaged | Strange


class SerialReceiver:
    """Bytes in, frames out; however the bytes are cut, the events are the same.

    Holds at most one frame. Damage costs the frame that it hits, and no other one.

    Args:
        max_body: bytes of the longest frame that can come, see `max_body_bytes`; what is longer is damage.
    """

    def __init__(self, max_body: int) -> None:
        self._limit = longest_stuffed(max_body)
        self._held = bytearray()
        self._n_lost = 0  # bytes beyond the limit
        self._events = deque[Event]()

    def receive(self, chunk: bytes) -> None:
        """Takes bytes as they come."""
        *ended, begun = chunk.split(b"\0")
        for piece in ended:
            self._take(piece)
            self._end()
        self._take(begun)

    def events(self) -> Iterator[Event]:
        """What has arrived since, in order."""
        while self._events:
            yield self._events.popleft()

    def _take(self, piece: bytes) -> None:
        room = self._limit - len(self._held)
        self._held += piece[:room]
        self._n_lost += max(0, len(piece) - room)

    def _end(self) -> None:
        """A zero came."""
        if self._held:
            self._events.append(self._event(bytes(self._held)))
        self._held.clear()
        self._n_lost = 0

    def _event(self, data: bytes) -> Event:
        whole = None if self._n_lost else unstuffed(data)
        body = None if whole is None else read_body(whole)
        if body is None:
            return Damaged(len(data) + self._n_lost)
        try:
            return read_frame(body)
        except WireError as error:
            return Strange(str(error))
