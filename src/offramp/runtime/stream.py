"""Many requests over one call, answered as they are done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from enum import Enum

import grpc

MAX_IN_FLIGHT = 16  # requests of one stream; another is read when an answer has gone out
_LOOK_EVERY_S = 0.25  # how soon a silent stream sees that the server stops

Answer = Callable[[bytes, grpc.aio.ServicerContext], AbstractAsyncContextManager[bytes]]
Stream = Callable[[object, grpc.aio.ServicerContext], Awaitable[None]]


class _End(Enum):
    CLIENT_IS_DONE = 1
    SERVER_STOPS = 2


def stream_of(answer: Answer, is_open: Callable[[], bool], *, max_streams: int) -> Stream:
    """A call that answers each of its messages, in the order in which answers are done.

    Where the server stops, it reads no more, answers what it has read, and ends with UNAVAILABLE.

    Args:
        answer: a message to its answer, for as long as it takes to send; raises nothing.
        is_open: whether new work is taken.
        max_streams: more at once are refused with RESOURCE_EXHAUSTED; each may always send a message.
    """
    n_streams = 0

    async def limited(_: object, context: grpc.aio.ServicerContext) -> None:
        nonlocal n_streams
        if n_streams >= max_streams:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{n_streams} streams are open, and no more may be; close one, or ask without a stream",
            )
        n_streams += 1
        try:
            await stream(context)
        finally:
            n_streams -= 1

    async def stream(context: grpc.aio.ServicerContext) -> None:
        free, writing = asyncio.Semaphore(MAX_IN_FLIGHT), asyncio.Lock()

        async def reply(data: bytes) -> None:
            try:
                # gRPC takes one at a time, and none while the client does not read.
                async with answer(data, context) as said, writing:
                    await context.write(said)
            except grpc.aio.InternalError:
                return  # the client is gone: nothing more is read, until gRPC cancels the call
            free.release()

        async with asyncio.TaskGroup() as replies:
            while not isinstance(data := await _next(context, free, is_open), _End):
                replies.create_task(reply(data))
        if data is _End.SERVER_STOPS:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server stops; ask another one, or later")

    return limited


async def _next(
    context: grpc.aio.ServicerContext, free: asyncio.Semaphore, is_open: Callable[[], bool]
) -> bytes | _End:
    """The next message, once there is room for it."""
    reading = asyncio.create_task(_read(context, free))
    try:
        while is_open():
            done, _ = await asyncio.wait({reading}, timeout=_LOOK_EVERY_S)
            if done:
                return reading.result()
    finally:
        reading.cancel()
    return _End.SERVER_STOPS


async def _read(context: grpc.aio.ServicerContext, free: asyncio.Semaphore) -> bytes | _End:
    await free.acquire()
    data = await context.read()
    return _End.CLIENT_IS_DONE if data is grpc.aio.EOF else data
