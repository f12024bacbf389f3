"""A slow link for tests and demonstrations: a TCP relay that delays what it carries."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from concurrent.futures import Future
from typing import Self

from offramp.errors import ConfigError

_QUEUE_CHUNKS = 1024  # what the modem holds back for a sender that is faster than the link


class ShapedLink:
    """Carries TCP connections from `port` on loopback to a target, at a given rate and delay each way.

    Connections share the link. Bytes queue for it, take 8 / bits_per_s each, and arrive delay_s later; only
    the TCP handshake is not delayed. It runs in a thread of its own, from construction until `close`.

    Args:
        bits_per_s: each way; infinity for no limit.
        delay_s: one way.

    Raises:
        ConfigError: a rate or delay that cannot be.
    """

    def __init__(
        self, target_host: str, target_port: int, *, bits_per_s: float = math.inf, delay_s: float = 0.0
    ) -> None:
        if not bits_per_s > 0:
            raise ConfigError(f"bits_per_s={bits_per_s}; use a rate above 0")
        if not 0 <= delay_s < math.inf:
            raise ConfigError(f"delay_s={delay_s}; use 0 or more seconds")
        self._target = (target_host, target_port)
        self._up = Lane(bits_per_s, delay_s)
        self._down = Lane(bits_per_s, delay_s)
        self._black_hole = False
        # No asyncio.start_server: one that closes while it accepts forgets the connection, still open.
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._port: int = self._listener.getsockname()[1]
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(started)), name="offramp-link", daemon=True
        )
        self._thread.start()
        started.result()

    @property
    def port(self) -> int:
        """Where to connect to, on 127.0.0.1."""
        return self._port

    @property
    def bytes_up(self) -> int:
        """Bytes that entered the link towards the target."""
        return self._up.n_bytes

    @property
    def bytes_down(self) -> int:
        """Bytes that entered the link coming from the target."""
        return self._down.n_bytes

    @property
    def black_hole(self) -> bool:
        """While true nothing arrives, and nothing says so; after that, everything held back does."""
        return self._black_hole

    @black_hole.setter
    def black_hole(self, swallow: bool) -> None:
        self._black_hole = swallow
        self._loop.call_soon_threadsafe(self._passable.clear if swallow else self._passable.set)

    def close(self) -> None:
        """Cuts every connection and ends the thread; closing twice is fine."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _main(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        self._passable = asyncio.Event()
        self._passable.set()
        self._connections: set[asyncio.Task[None]] = set()
        with self._listener:
            self._loop.add_reader(self._listener, self._accept)
            started.set_result(None)
            await self._closing.wait()
            self._loop.remove_reader(self._listener)
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self) -> None:
        try:
            near, _ = self._listener.accept()
            # asyncio does not do this for sockets it has not made; small messages would wait for 40 ms.
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            return  # gone again
        task = asyncio.create_task(self._carry(near))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        # Here and not in the task: one that is cancelled before its first step never runs a `finally`.
        task.add_done_callback(lambda _: near.close())

    async def _carry(self, near: socket.socket) -> None:
        writers = []
        try:
            near_reader, near_writer = await asyncio.open_connection(sock=near)
            writers.append(near_writer)
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            writers.append(far_writer)
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(self._one_way(near_reader, far_writer, self._up))
                lanes.create_task(self._one_way(far_reader, near_writer, self._down))
            for writer in writers:  # what they still hold goes out first
                writer.close()
                await writer.wait_closed()
        except* OSError:
            pass  # one end is gone, or was never there: so the other must see it go
        finally:
            for writer in writers:
                writer.transport.abort()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lane: Lane) -> None:
        async with asyncio.TaskGroup() as ends:
            chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUE_CHUNKS)
            ends.create_task(self._enter(reader, lane, chunks))
            ends.create_task(self._leave(chunks, writer))

    async def _enter(
        self, reader: asyncio.StreamReader, lane: Lane, chunks: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        while chunk := await reader.read(lane.chunk_bytes):
            await chunks.put((lane.arrival(len(chunk), self._loop.time()), chunk))
        await chunks.put((lane.arrival(0, self._loop.time()), b""))

    async def _leave(self, chunks: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, chunk = await chunks.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._passable.wait()
            if not chunk:
                writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()


class Lane:
    """One direction. Arrivals follow from a virtual clock, so sleeping too long does not add up."""

    def __init__(self, bits_per_s: float, delay_s: float) -> None:
        self._bits_per_s = bits_per_s
        self._delay_s = delay_s
        self._free_at = 0.0
        self.n_bytes = 0
        # About a millisecond's worth: connections take turns that often.
        self.chunk_bytes = int(min(max(bits_per_s / 8000, 1024), 65536))

    def arrival(self, n_bytes: int, now: float) -> float:
        """When bytes that enter the lane now have arrived."""
        self.n_bytes += n_bytes
        self._free_at = max(self._free_at, now) + n_bytes * 8 / self._bits_per_s
        return self._free_at + self._delay_s
