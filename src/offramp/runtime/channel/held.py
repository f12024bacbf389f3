"""What is on the way on one connection, one way: so many bytes and no more."""

from __future__ import annotations

import asyncio
from collections import deque

HELD_BYTES = 1 << 20  # of one connection, one way, as TCP's own windows are bounded
_CHUNK_COST = 128  # what Python needs beside a chunk's bytes, so that tiny ones are not free


class Held:
    """A queue of chunks with their times of arrival, for one that puts, after `room`, and one that takes."""

    def __init__(self, limit_bytes: int = HELD_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._filled = asyncio.Event()

    async def room(self) -> None:
        """Wait until less than the limit is held; then there is room for one chunk."""
        await self._room.wait()

    def put(self, due: float, chunk: bytes) -> None:
        """Append a chunk."""
        self._chunks.append((due, chunk))
        self._count(len(chunk) + _CHUNK_COST)

    async def first(self) -> tuple[float, bytes]:
        """The oldest chunk, as soon as there is one; it stays."""
        await self._filled.wait()
        return self._chunks[0]

    def drop_first(self) -> None:
        """Remove the oldest chunk."""
        _, chunk = self._chunks.popleft()
        self._count(-len(chunk) - _CHUNK_COST)

    def _count(self, more_bytes: int) -> None:
        self._held_bytes += more_bytes
        _set_if(self._room, self._held_bytes < self._limit_bytes)
        _set_if(self._filled, bool(self._chunks))


def _set_if(event: asyncio.Event, true: bool) -> None:
    if true:
        event.set()
    else:
        event.clear()
