"""Clients that each wait for an answer before they ask again: how often they are answered, and how soon."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.serving.http2 import Caller
from offramp import wire

_PATH = f"/{wire.SERVICE}/ModelInfer"


@dataclass(frozen=True)
class Turn:
    """What a number of clients came to in one turn."""

    per_s: float
    p50_s: float
    p99_s: float
    failed: int


def turn(port: int, requests: Sequence[bytes], *, seconds: float, n_classes: int) -> Turn:
    """One connection for each of the requests, which its client asks again and again.

    Raises:
        WireError: the last answer of a client holds no scores.
    """
    return asyncio.run(_turn(port, requests, seconds, n_classes))


async def _turn(port: int, requests: Sequence[bytes], seconds: float, n_classes: int) -> Turn:
    latencies: list[float] = []
    failed, last = [0], list[bytes | None]([None] * len(requests))
    until = time.perf_counter() + seconds

    def caller(number: int) -> Caller:
        def next_message() -> bytes | None:
            return requests[number] if time.perf_counter() < until else None

        def answered(message: bytes | None, latency_s: float) -> None:
            latencies.append(latency_s)
            last[number] = message
            failed[0] += message is None

        return Caller(_PATH, next_message, answered)

    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    callers = []
    for number in range(len(requests)):
        _, made = await loop.create_connection(lambda number=number: caller(number), "127.0.0.1", port)
        callers.append(made)
    await asyncio.wait_for(asyncio.gather(*(made.done for made in callers)), seconds + 30)
    elapsed = time.perf_counter() - began
    for request, message in zip(requests, last, strict=True):
        if message is not None:
            asked = wire.InferRequest.from_bytes(request)
            response = wire.InferResponse.from_bytes(message)
            wire.read_scores(response, id=asked.id, n_rows=1, n_classes=n_classes)
    p50, p99 = np.percentile(latencies, (50, 99))
    return Turn(len(latencies) / elapsed, float(p50), float(p99), failed[0])
