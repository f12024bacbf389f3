"""What a server's inference requests came to, counted while they pass."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import grpc

from offramp import wire
from offramp.runtime.models import Model

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
OTHER = ""  # the model of requests that name none of ours: their words must not make new series

_METHOD = f"/{wire.SERVICE}/ModelInfer"

_Call = Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]


@dataclass
class Tally:
    """Counts of one model. Durations and response bytes are those of requests that were answered.

    Args:
        failures: by the name of the gRPC status that the caller got.
        within: requests answered within each of `BOUNDS_S` but not the one before; the last took longer.
        n_rows, n_batches: what the model computed, and in how many pieces.
    """

    n_answered: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    in_flight: int = 0
    duration_s: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    request_bytes: int = 0
    response_bytes: int = 0
    n_rows: int = 0
    n_batches: int = 0

    @property
    def duration_us(self) -> int:
        return round(self.duration_s * 1e6)

    def answered(self, seconds: float, n_bytes: int) -> None:
        self.n_answered += 1
        self.duration_s += seconds
        self.within[bisect_left(BOUNDS_S, seconds)] += 1
        self.response_bytes += n_bytes

    def failed(self, status: str) -> None:
        self.failures[status] = self.failures.get(status, 0) + 1


class Meter(grpc.aio.ServerInterceptor):  # type: ignore[misc] # gRPC has no types
    """Counts the calls of ModelInfer that reach it; to be the first of a server's interceptors.

    What gRPC itself refuses, too large a message or one too many at once, reaches nobody and is not counted.
    All is counted in the thread of the event loop, rows in the thread of their model: no count has two
    writers.
    """

    def __init__(self) -> None:
        self._tallies = {OTHER: Tally()}
        self._beginnings: list[tuple[bytes, Tally]] = []

    def __iter__(self) -> Iterator[tuple[str, Tally]]:
        return iter(list(self._tallies.items()))

    def counted(self, model: Model) -> Model:
        """The same model, whose requests and rows are counted under its name."""
        tally = self._tallies.setdefault(model.name, Tally())
        # Its name is the first field of a request, so all requests for it begin with the same bytes.
        self._beginnings.append((wire.InferRequest(model.name, ()).to_bytes(), tally))

        def compute(rows: Any) -> Any:
            scores = model.compute(rows)
            tally.n_rows += len(rows)
            tally.n_batches += 1
            return scores

        return replace(model, compute=compute)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        handler = await continuation(handler_call_details)
        if handler_call_details.method != _METHOD:
            return handler
        if handler.unary_unary is None:  # what TokenGuard answers with, and nothing else does
            self._tallies[OTHER].failed("UNAUTHENTICATED")
            return handler
        return grpc.unary_unary_rpc_method_handler(
            self._counting(handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )

    def _counting(self, call: _Call) -> _Call:
        async def answer(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
            began = time.perf_counter()
            tally = self._of(data)
            tally.request_bytes += len(data)
            tally.in_flight += 1
            try:
                response = await call(data, context)
            except asyncio.CancelledError:  # the caller gave up, or its deadline passed
                tally.failed("CANCELLED")
                raise
            except BaseException:
                tally.failed(_status(context))
                raise
            else:
                tally.answered(time.perf_counter() - began, len(response))
                return response
            finally:
                tally.in_flight -= 1

        return answer

    def _of(self, data: bytes) -> Tally:
        for beginning, tally in self._beginnings:
            if data.startswith(beginning):
                return tally
        return self._tallies[OTHER]


def _status(context: grpc.aio.ServicerContext) -> str:
    """The status that a call was ended with; gRPC makes UNKNOWN of an exception that gave none."""
    code = context.code()
    for status in grpc.StatusCode:
        if code in (status, status.value[0]) and status is not grpc.StatusCode.OK:
            return str(status.name)
    return "UNKNOWN"
