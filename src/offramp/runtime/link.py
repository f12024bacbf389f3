"""A bad link on loopback: a TCP relay in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from random import Random
from typing import NamedTuple, Self

from offramp.errors import ConfigError
from offramp.runtime.channel import Held, Lane, LinkSettings
from offramp.runtime.security.settings import is_loopback

MAX_CONNECTIONS = 256  # more wait in the listener's queue until one of these has ended
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, on and 0 s: closing sends a reset


class _Connection(NamedTuple):
    sockets: list[socket.socket]  # its open ends
    known: asyncio.Event  # cleared once the link has forgotten it


class ShapedLink:
    """Carries TCP connections from `port` on loopback to a target, as well or badly as its settings say.

    Connections share the link. Bytes queue for it, take 8 / bits_per_s each, and arrive delay_s later; only
    the TCP handshake is not delayed. It runs in a thread of its own, from construction until `close`.
    `settings`, `black_hole`, `cut()` and `forget()` change it meanwhile, from any thread.

    At most 256 connections are carried at once, and each holds at most 1 MiB each way, after which its sender
    has to wait: so a connection carries at most 1 MiB per `delay_s`.

    Args:
        bits_per_s: each way; infinity for no limit.
        delay_s: one way.
        jitter_s, loss, damage, cut_every_s: see `LinkSettings`.
        seed: of all that is random. TCP may divide the same stream into other chunks the next time.
        host, port: the loopback address to listen on; port 0 takes any free one.

    Raises:
        ConfigError: a setting that cannot be, an address elsewhere, or one that cannot be had.
    """

    def __init__(
        self,
        target_host: str,
        target_port: int,
        *,
        bits_per_s: float = math.inf,
        delay_s: float = 0.0,
        jitter_s: float = 0.0,
        loss: float = 0.0,
        damage: float = 0.0,
        cut_every_s: float = math.inf,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._settings = LinkSettings(bits_per_s, delay_s, jitter_s, loss, damage, cut_every_s)
        self._target = (target_host, target_port)
        self._up = Lane(self._settings, Random(f"{seed} up"))
        self._down = Lane(self._settings, Random(f"{seed} down"), damages=True)
        self._black_hole = False
        self._n_connections = self._n_cuts = 0
        self._next_cut: asyncio.TimerHandle | None = None
        # No asyncio.start_server: one that closes while it accepts forgets the connection, still open.
        self._listener = _listener(host, port)
        self._port: int = self._listener.getsockname()[1]
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(started)), name="offramp-link", daemon=True
        )
        self._thread.start()
        started.result()

    @property
    def port(self) -> int:
        """Where to connect to, on the loopback address."""
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
    def n_connections(self) -> int:
        """Connections accepted so far."""
        return self._n_connections

    @property
    def n_cuts(self) -> int:
        """Connections reset so far, by `cut` and `cut_every_s`."""
        return self._n_cuts

    @property
    def n_late(self) -> int:
        """Chunks that had to wait for a retransmission, both ways."""
        return self._up.n_late + self._down.n_late

    @property
    def n_damaged(self) -> int:
        """Chunks from the target with an altered byte; as many bytes were altered."""
        return self._down.n_damaged

    @property
    def settings(self) -> LinkSettings:
        """How bad the link is. New ones hold for what enters from then on, and the next cut is due anew."""
        return self._settings

    @settings.setter
    def settings(self, settings: LinkSettings) -> None:
        self._settings = settings
        self._in_loop(self._change_settings)

    @property
    def black_hole(self) -> bool:
        """While true nothing arrives, and nothing says so; after that, everything held back does."""
        return self._black_hole

    @black_hole.setter
    def black_hole(self, swallow: bool) -> None:
        self._black_hole = swallow
        self._in_loop(lambda: self._passable.clear() if swallow else self._passable.set())

    def cut(self) -> None:
        """Reset every connection at both ends; what is on the way is lost."""
        self._in_loop(self._cut)

    def forget(self) -> None:
        """Carry nothing more on the connections that exist now, and say nothing, as a NAT that lost them.

        New ones are carried. The forgotten ones stay open until a cut, or until the link is closed.
        """
        self._in_loop(self._forget)

    def close(self) -> None:
        """Cuts every connection and ends the thread; closing twice is fine."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _in_loop(self, action: Callable[[], None]) -> None:
        """Before anything that arrives from now on; a link that is closed has nothing to do any more."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(action)

    async def _main(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        self._passable = asyncio.Event()
        self._passable.set()
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        with self._listener:
            self._listen()
            self._change_settings()
            started.set_result(None)
            await self._closing.wait()
            self._loop.remove_reader(self._listener)
        if self._next_cut is not None:
            self._next_cut.cancel()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _change_settings(self) -> None:
        for lane in (self._up, self._down):
            lane.change(self._settings, self._loop.time())
        if self._next_cut is not None:
            self._next_cut.cancel()
            self._next_cut = None
        if math.isfinite(self._settings.cut_every_s):
            self._next_cut = self._loop.call_later(self._settings.cut_every_s, self._cut_again)

    def _cut_again(self) -> None:
        self._cut()
        self._next_cut = self._loop.call_later(self._settings.cut_every_s, self._cut_again)

    def _cut(self) -> None:
        for task, connection in self._connections.items():
            if task.cancelling():
                continue  # cut already, and about to go
            for end in connection.sockets:
                with contextlib.suppress(OSError):  # ended by itself a moment ago
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            task.cancel()
            self._n_cuts += 1
        self._up.clear()
        self._down.clear()

    def _forget(self) -> None:
        for connection in self._connections.values():
            connection.known.clear()

    def _listen(self) -> None:
        if len(self._connections) < MAX_CONNECTIONS and not self._closing.is_set():
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            near, _ = self._listener.accept()
            # asyncio does not do this for sockets it has not made; small messages would wait for 40 ms.
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            return  # gone again
        self._n_connections += 1
        connection = _Connection([near], asyncio.Event())
        connection.known.set()
        task = asyncio.create_task(self._carry(near, connection))
        self._connections[task] = connection
        # Here and not in the task: one that is cancelled before its first step never runs a `finally`.
        task.add_done_callback(self._ended)
        if len(self._connections) >= MAX_CONNECTIONS:
            self._loop.remove_reader(self._listener)

    def _ended(self, task: asyncio.Task[None]) -> None:
        near, *_ = self._connections.pop(task).sockets
        near.close()
        self._listen()

    async def _carry(self, near: socket.socket, connection: _Connection) -> None:
        writers: list[asyncio.StreamWriter] = []
        try:
            try:
                await self._join(near, connection, writers)
            except* OSError:
                pass  # one end is gone, or was never there: so the other must see it go,
            await self._passes(connection)  # but not through a black hole
        finally:
            for writer in writers:
                writer.transport.abort()

    async def _join(
        self, near: socket.socket, connection: _Connection, writers: list[asyncio.StreamWriter]
    ) -> None:
        """Both ways, until both have ended; `connection` and `writers` get what is open."""
        near_reader, near_writer = await asyncio.open_connection(sock=near)
        writers.append(near_writer)
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        writers.append(far_writer)
        connection.sockets.append(far_writer.get_extra_info("socket"))
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._one_way(near_reader, far_writer, self._up, connection))
            lanes.create_task(self._one_way(far_reader, near_writer, self._down, connection))
        for writer in writers:  # what they still hold goes out first
            writer.close()
            await writer.wait_closed()

    async def _one_way(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lane: Lane,
        connection: _Connection,
    ) -> None:
        held = Held()
        async with asyncio.TaskGroup() as steps:
            steps.create_task(self._enter(reader, lane, held))
            steps.create_task(self._leave(held, writer, connection))

    async def _enter(self, reader: asyncio.StreamReader, lane: Lane, held: Held) -> None:
        chunk = b"none yet"
        while chunk:  # the empty one ends it, there as here
            await held.room()
            chunk = await reader.read(lane.chunk_bytes)
            held.put(*lane.enter(chunk, self._loop.time()))

    async def _leave(self, held: Held, writer: asyncio.StreamWriter, connection: _Connection) -> None:
        while True:
            due, chunk = await held.first()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._passes(connection)
            if not chunk:
                writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()
            held.drop_first()

    async def _passes(self, connection: _Connection) -> None:
        await self._passable.wait()
        await connection.known.wait()


def _listener(host: str, port: int) -> socket.socket:
    if not is_loopback(host):
        raise ConfigError(
            f"{host!r} can be reached from elsewhere, and a link lets everyone through to its target;"
            " listen on 127.0.0.1"
        )
    bare = host.strip("[]")
    try:
        listener = socket.create_server(
            (bare, port), family=socket.AF_INET6 if ":" in bare else socket.AF_INET
        )
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)};"
            " choose another port, or 0 for any free one"
        ) from error
    listener.setblocking(False)
    return listener
