"""The standard health service of gRPC, where orchestrators ask whether a server takes work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container
from typing import Any

import grpc

from offramp.runtime.security import TokenGuard, Tokens

SERVICE = "grpc.health.v1.Health"


class Health:
    """Says SERVING for the server ("") and each model, and NOT_SERVING once drained.

    The servicer of grpc_health keeps whoever watches until the end of a drain, which then takes its whole
    time, and forgets a second watcher of one name when the first leaves; so this is one of our own.

    Args:
        models: has the names of the models that there are now.

    Raises:
        ImportError: grpc_health is not installed.
    """

    def __init__(self, models: Container[str]) -> None:
        from grpc_health.v1 import health_pb2

        self._messages: Any = health_pb2
        self._models = models
        self._draining = asyncio.Event()

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server registers."""
        coding = {
            "request_deserializer": self._messages.HealthCheckRequest.FromString,
            "response_serializer": self._messages.HealthCheckResponse.SerializeToString,
        }
        handlers = {
            "Check": grpc.unary_unary_rpc_method_handler(self._check, **coding),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **coding),
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def drain(self) -> None:
        """From now on the answer is NOT_SERVING; those who watch are told, and let go."""
        self._draining.set()

    async def _check(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        if not self._knows(request.service):
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service here")
        return self._status(request.service)

    async def _watch(self, request: Any, context: grpc.aio.ServicerContext) -> None:
        await context.write(self._status(request.service))
        await self._draining.wait()
        await context.write(self._status(request.service))

    def _knows(self, name: str) -> bool:
        return name == "" or name in self._models

    def _status(self, name: str) -> Any:
        response = self._messages.HealthCheckResponse
        if not self._knows(name):
            return response(status=response.SERVICE_UNKNOWN)
        return response(status=response.NOT_SERVING if self._draining.is_set() else response.SERVING)


class GuardExceptHealth(TokenGuard):
    """Asks for a token, but for the health check: an orchestrator has none, and it tells only what lives.

    Watching needs one all the same, as each watcher takes the place of a request for as long as it likes.

    Args:
        on_refusal: called with the name of each method whose caller has no token.
    """

    def __init__(self, tokens: Tokens, on_refusal: Callable[[str], None]) -> None:
        super().__init__(tokens)
        self._on_refusal = on_refusal

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        if handler_call_details.method == f"/{SERVICE}/Check":
            return await continuation(handler_call_details)
        handler = await super().intercept_service(continuation, handler_call_details)
        if handler is self._refusal:
            self._on_refusal(handler_call_details.method)
        return handler
