"""The calls of the Open Inference Protocol: bytes to bytes, errors as gRPC status codes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import grpc

from offramp import __version__, wire
from offramp.errors import InputError, OfframpError, WireError
from offramp.runtime.batching import Batcher
from offramp.runtime.models import Model
from offramp.runtime.network import FloatArray
from offramp.runtime.stream import stream_of

_T = TypeVar("_T")

logger = logging.getLogger(__name__)

_MAX_DETAILS = 500  # characters: a message may quote what the client sent, and travels as a header

# Larger requests are read in a thread: the event loop has other callers. For smaller ones that costs more
# time than the reading.
_LARGE_BYTES = 16 * 1024


@dataclass(frozen=True)
class Served:
    """A model and the batcher that computes for it."""

    model: Model
    batcher: Batcher


class _RefusalError(Exception):
    def __init__(self, status: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.status = status


class Service:
    """Answers for some models.

    Args:
        served: by model name.
        is_ready: whether new work is welcome.
    """

    def __init__(self, served: Mapping[str, Served], is_ready: Callable[[], bool]) -> None:
        self._served = served
        self._is_ready = is_ready

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server registers. No generated service: its name belongs to the protocol, see wire."""
        calls = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(_with_status(call)) for name, call in calls.items()
        }
        stream = stream_of(self._stream_answer, self._is_ready)
        handlers["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(stream)
        return grpc.method_handlers_generic_handler(wire.SERVICE, handlers)

    async def _server_live(self, _: bytes) -> bytes:
        return wire.live_response(True)

    async def _server_ready(self, _: bytes) -> bytes:
        return wire.ready_response(self._is_ready())

    async def _server_metadata(self, _: bytes) -> bytes:
        return wire.ServerMetadata("offramp", __version__, ("offramp_coded_features",)).to_bytes()

    async def _model_ready(self, data: bytes) -> bytes:
        query = wire.ModelQuery.from_bytes(data)
        self._find(query.name, query.version)
        return wire.ready_response(self._is_ready())

    async def _model_metadata(self, data: bytes) -> bytes:
        query = wire.ModelQuery.from_bytes(data)
        return self._find(query.name, query.version).model.metadata.to_bytes()

    async def _model_infer(self, data: bytes) -> bytes:
        large = len(data) > _LARGE_BYTES
        request, served, rows = await _run(self._read, data, in_thread=large)
        scores = await asyncio.wrap_future(served.batcher.submit(rows))
        response = wire.InferResponse(
            request.model_name, (wire.Tensor("scores", scores),), model_version="1", id=request.id
        )
        return await _run(_checked_bytes, response, request, in_thread=large)

    async def _stream_answer(self, data: bytes) -> bytes:
        try:
            return wire.stream_response(await self._model_infer(data))
        except Exception as error:  # noqa: BLE001 (told to the client, and to the log where it is our bug)
            status, message = _told(error)
            return wire.stream_error(f"{status.name}: {message}", data)

    def _read(self, data: bytes) -> tuple[wire.InferRequest, Served, FloatArray]:
        request = wire.InferRequest.from_bytes(data)
        wire.verify_request(request)  # before all else, which would only say what the damage looks like
        served = self._find(request.model_name, request.model_version)
        _check_head(request, served.model)
        _check_outputs(request)
        return request, served, served.model.read(request)

    def _find(self, name: str, version: str) -> Served:
        served = self._served.get(name)
        if served is None:
            known = ", ".join(repr(known) for known in self._served)
            raise _RefusalError(grpc.StatusCode.NOT_FOUND, f"no model {name!r} here; there is {known}")
        if version not in ("", "1"):
            raise _RefusalError(
                grpc.StatusCode.NOT_FOUND, f"model {name!r} has no version {version!r}; ask for '1' or none"
            )
        return served


async def _run(call: Callable[..., _T], *args: object, in_thread: bool) -> _T:
    return await asyncio.to_thread(call, *args) if in_thread else call(*args)


def _checked_bytes(response: wire.InferResponse, request: wire.InferRequest) -> bytes:
    return wire.checked_response(response, request).to_bytes()


def _check_head(request: wire.InferRequest, model: Model) -> None:
    digest = request.parameters.get("head_digest", model.head_digest)
    if digest != model.head_digest:
        raise _RefusalError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"features of head {str(digest)[:12]!r}; this tail understands head {model.head_digest[:12]!r},"
            " deploy both from one bundle",
        )


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
            await context.abort(*_told(error))
            raise AssertionError("abort always raises") from error

    return answer


def _told(error: Exception) -> tuple[grpc.StatusCode, str]:
    """What the client gets to know of an error."""
    if isinstance(error, _RefusalError):
        status, message = error.status, str(error)
    elif isinstance(error, WireError | InputError):
        status, message = grpc.StatusCode.INVALID_ARGUMENT, str(error)
    elif isinstance(error, OfframpError):
        status, message = grpc.StatusCode.INTERNAL, str(error)
    else:  # our own bug: its text is for the log, not for the network
        logger.error("a call failed", exc_info=error)
        status, message = grpc.StatusCode.INTERNAL, "the server failed; its log says why"
    return status, message[:_MAX_DETAILS]
