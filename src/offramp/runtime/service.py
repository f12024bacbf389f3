"""The calls of the Open Inference Protocol: bytes to bytes, errors as gRPC status codes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import grpc

from offramp import __version__, wire
from offramp.errors import WireError
from offramp.runtime.catalog import Catalog, Served
from offramp.runtime.metering import Meter
from offramp.runtime.network import FloatArray
from offramp.runtime.passage import Observer, Passage
from offramp.runtime.refusals import RefusalError, Refused, told
from offramp.runtime.room import Room
from offramp.runtime.stream import stream_of

_T = TypeVar("_T")

INFER, STREAM = "ModelInfer", "ModelStreamInfer"

# Larger requests are read in a thread: the event loop has other callers. For smaller ones that costs more
# time than the reading.
_LARGE_BYTES = 16 * 1024


class Service:
    """Answers for the models of a catalog.

    Args:
        room: for requests.
        observers: told of each request once it has ended.
        is_ready: whether new work is welcome, as ServerReady and ModelReady say.
        is_open: whether new work is taken.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        meter: Meter,
        room: Room,
        observers: Sequence[Observer],
        is_ready: Callable[[], bool],
        is_open: Callable[[], bool],
    ) -> None:
        self._catalog = catalog
        self._meter = meter
        self._room = room
        self._observers = observers
        self._is_ready = is_ready
        self._is_open = is_open

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server registers. No generated service: its name belongs to the protocol, see wire."""
        calls = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(_with_status(call)) for name, call in calls.items()
        }
        handlers[INFER] = grpc.stream_unary_rpc_method_handler(self._infer)  # so that it reads when it likes
        stream = stream_of(self._stream_answer, self._is_open, max_streams=self._room.n_places)
        handlers[STREAM] = grpc.stream_stream_rpc_method_handler(stream)
        return grpc.method_handlers_generic_handler(wire.SERVICE, handlers)

    async def _server_live(self, _: bytes) -> bytes:
        return wire.live_response(True)

    async def _server_ready(self, _: bytes) -> bytes:
        return wire.ready_response(self._is_ready())

    async def _server_metadata(self, _: bytes) -> bytes:
        return wire.ServerMetadata("offramp", __version__, ("offramp_coded_features",)).to_bytes()

    async def _model_ready(self, data: bytes) -> bytes:
        query = wire.ModelQuery.from_bytes(data)
        self._catalog.find(query.name, query.version)
        return wire.ready_response(self._is_ready())

    async def _model_metadata(self, data: bytes) -> bytes:
        query = wire.ModelQuery.from_bytes(data)
        return self._catalog.metadata(query.name, query.version).to_bytes()

    async def _infer(self, _: object, context: grpc.aio.ServicerContext) -> bytes:
        passage = self._passage(context)
        context.add_done_callback(lambda _: self._room.leave(passage))  # once the answer is sent
        # gRPC ends a call by raising; a frame with a request in it would be kept by that, in a cycle.
        outcome = await self._outcome(await self._arrived(context), passage)
        if isinstance(outcome, Refused):
            await context.abort(outcome.status, outcome.message)
            raise AssertionError("abort always raises")
        return outcome

    async def _arrived(self, context: grpc.aio.ServicerContext) -> bytes:
        async with self._room.arriving:
            data = await context.read()
        return b"" if data is grpc.aio.EOF else data

    @asynccontextmanager
    async def _stream_answer(self, data: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        passage = self._passage(context)
        try:
            outcome = await self._outcome(data, passage)
            if isinstance(outcome, Refused):
                yield wire.stream_error(f"{outcome.status.name}: {outcome.message}", data)
            else:
                yield wire.stream_response(outcome)
        finally:
            self._room.leave(passage)

    def _passage(self, context: grpc.aio.ServicerContext) -> Passage:
        return Passage(self._meter.other, context.invocation_metadata())

    async def _outcome(self, data: bytes, passage: Passage) -> bytes | Refused:
        """The response to a request, or why there is none; it raises nothing."""
        passage.request_bytes = len(data)
        try:
            response = await self._response(data, passage)
        except asyncio.CancelledError:  # the caller gave up, or its deadline passed
            self._ended(passage, "CANCELLED")
            raise
        except Exception as error:  # noqa: BLE001 (told to the caller, and to the log where it is our bug)
            refused = told(error)
            self._ended(passage, refused.status.name)
            return refused
        passage.response_bytes = len(response)
        self._ended(passage, "OK")
        return response

    def _ended(self, passage: Passage, status: str) -> None:
        passage.end(status)
        for observer in self._observers:
            observer(passage)

    async def _response(self, data: bytes, passage: Passage) -> bytes:
        self._room.take(passage, len(data))
        large = len(data) > _LARGE_BYTES
        request = await _run(_verified, data, in_thread=large)
        passage.id = request.id
        served = self._found(request, passage)
        with self._catalog.used(served):
            _check_outputs(request)
            self._room.take(passage, _further_bytes(request, served))
            rows = await _run(served.model.read, request, in_thread=large)
            passage.n_rows = len(rows)
            passage.stage_done()
            scores = await asyncio.wrap_future(served.batcher.submit(rows))
            passage.stage_done()
            response = await _run(_checked_bytes, request, served.version, scores, in_thread=large)
            passage.stage_done()
            return response

    def _found(self, request: wire.InferRequest, passage: Passage) -> Served:
        try:
            served = self._catalog.find_for(request)
        except RefusalError:
            if request.model_name in self._catalog:
                passage.tally = self._meter.unchosen(request.model_name)
            raise
        passage.tally = served.tally
        return served


async def _run(call: Callable[..., _T], *args: object, in_thread: bool) -> _T:
    return await asyncio.to_thread(call, *args) if in_thread else call(*args)


def _verified(data: bytes) -> wire.InferRequest:
    request = wire.InferRequest.from_bytes(data)
    wire.verify_request(request)  # before all else, which would only say what the damage looks like
    return request


def _further_bytes(request: wire.InferRequest, served: Served) -> int:
    """What a request takes beside its message: its rows as float32, and their scores."""
    n_rows = max((len(tensor.array) for tensor in request.inputs), default=0)
    return 4 * n_rows * (served.model.row_values + served.model.n_classes)


def _checked_bytes(request: wire.InferRequest, version: str, scores: FloatArray) -> bytes:
    response = wire.InferResponse(
        request.model_name, (wire.Tensor("scores", scores),), model_version=version, id=request.id
    )
    return wire.checked_response(response, request).to_bytes()


def _check_outputs(request: wire.InferRequest) -> None:
    unknown = [name for name in request.outputs if name != "scores"]
    if unknown:
        raise WireError(f"no output {unknown[0]!r}; this model writes 'scores'")


def _with_status(
    call: Callable[[bytes], Awaitable[bytes]],
) -> Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]:
    async def answer(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
        try:
            return await call(data)
        except Exception as error:
            refused = told(error)
            await context.abort(refused.status, refused.message)
            raise AssertionError("abort always raises") from error

    return answer
