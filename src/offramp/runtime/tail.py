"""The tail: a server that answers for the models of a bundle."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Self

import grpc

from offramp.bundle import Bundle
from offramp.errors import ConfigError
from offramp.runtime.batching import Batcher
from offramp.runtime.health import GuardExceptHealth, Health
from offramp.runtime.metrics import Metrics
from offramp.runtime.models import Compute, Model, models_of
from offramp.runtime.security import ServerCredentials, ServerSecurity
from offramp.runtime.service import Served, Service

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_ENVELOPE_BYTES = 1024  # names, parameters and framing around the rows of a request


class TailServer:
    """A gRPC server for the Open Inference Protocol, with micro-batching; an async context manager.

    The standard health service is on the same port, where grpc_health is installed (extra `serve`): SERVING
    for "" and each model. Its Check needs no token, see `GuardExceptHealth`.

    Args:
        models: what it answers for, see `models_of`.
        host: the address to listen on; without TLS a loopback one, see `ServerSecurity`.
        port: 0 takes any free one.
        max_batch, max_wait_s: see `Batcher`.
        max_message_bytes: larger requests are refused with RESOURCE_EXHAUSTED.
        max_requests: so many may be in flight, more are refused with RESOURCE_EXHAUSTED.
        security: TLS and tokens; certificates and tokens are followed when their files change.
        metrics: counts requests, and shows the counts while the server runs.

    Raises:
        ConfigError: a setting outside its range, files of `security` that cannot be used, or a host that
            would be reachable from elsewhere without TLS.
    """

    def __init__(
        self,
        models: Iterable[Model],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_batch: int = 256,
        max_wait_s: float = 0.002,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_requests: int = 1024,
        security: ServerSecurity | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._models = tuple(models)
        self._host = host
        self._port = port
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._max_message_bytes = max_message_bytes
        self._max_requests = max_requests
        self._metrics = metrics
        self._ready = False
        self._health: Health | None = None
        self._batchers: list[Batcher] = []
        self._server: grpc.aio.Server | None = None
        self._check_settings()
        security = security or ServerSecurity()
        security.check_host(host)
        self._credentials = ServerCredentials(security)

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    async def start(self) -> None:
        """Listens and answers from now on.

        Raises:
            ConfigError: the address cannot be had.
        """
        self._check_address()
        options = [
            ("grpc.max_receive_message_length", self._max_message_bytes),
            ("grpc.so_reuseport", 0),  # else a second server would quietly share the port
        ]
        if self._metrics is not None:
            self._metrics.start()
        server = grpc.aio.server(
            options=options,
            maximum_concurrent_rpcs=self._max_requests,
            interceptors=self._interceptors(),
        )
        lock = threading.Lock()  # the models may share a callable that was not made for threads
        models = [self._counted(model) for model in self._models]
        served = {model.name: Served(model, self._batcher(model, lock)) for model in models}
        self._batchers = [each.batcher for each in served.values()]
        server.add_generic_rpc_handlers((Service(served, lambda: self._ready).handler(),))
        self._health = self._add_health(server)
        try:
            self._port = self._listen(server)
            await server.start()
        except RuntimeError as error:
            await self._close_all()
            raise self._cannot_listen(error) from error
        self._server = server
        self._ready = True

    async def stop(self, drain_s: float = 10.0) -> None:
        """Takes no more requests, finishes those in flight for at most `drain_s`, then closes."""
        self._ready = False
        if self._health is not None:
            self._health.drain()
        if self._server is not None:
            await self._server.stop(drain_s)
        await self._close_all()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _interceptors(self) -> tuple[grpc.aio.ServerInterceptor, ...]:
        meters = () if self._metrics is None else (self._metrics.meter,)
        tokens = self._credentials.tokens
        return meters if tokens is None else (*meters, GuardExceptHealth(tokens))

    def _counted(self, model: Model) -> Model:
        return model if self._metrics is None else self._metrics.meter.counted(model)

    def _add_health(self, server: grpc.aio.Server) -> Health | None:
        try:
            health = Health(model.name for model in self._models)
        except ImportError:  # without the extra `serve` there is no health service, as said above
            return None
        server.add_generic_rpc_handlers((health.handler(),))
        return health

    def _listen(self, server: grpc.aio.Server) -> int:
        address, credentials = f"{self._bracketed_host()}:{self._port}", self._credentials.for_grpc()
        port: int = (
            server.add_insecure_port(address)
            if credentials is None
            else server.add_secure_port(address, credentials)
        )
        return port

    def _check_address(self) -> None:
        # gRPC would not say what is wrong, and would write lines of its own to stderr.
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self._host, self._port))
        except OSError as error:
            raise self._cannot_listen(error.strerror or error) from error

    def _cannot_listen(self, why: object) -> ConfigError:
        return ConfigError(
            f"cannot listen on {self._bracketed_host()}:{self._port}: {why};"
            " choose another host or port, port 0 takes any free one"
        )

    def _bracketed_host(self) -> str:
        return f"[{self._host}]" if ":" in self._host else self._host

    def _batcher(self, model: Model, lock: threading.Lock) -> Batcher:
        return Batcher(
            model.compute,
            n_outputs=model.n_classes,
            max_batch=self._max_batch,
            max_wait_s=self._max_wait_s,
            lock=lock,
        )

    async def _close_all(self) -> None:
        for batcher in self._batchers:
            await asyncio.to_thread(batcher.close)
        if self._metrics is not None:
            await asyncio.to_thread(self._metrics.stop)

    def _check_settings(self) -> None:
        if not 0 <= self._port <= 65535:
            raise ConfigError(f"port {self._port}; use 1 to 65535, or 0 for any free one")
        if self._max_batch < 1 or self._max_requests < 1:
            raise ConfigError(
                f"max_batch={self._max_batch}, max_requests={self._max_requests}; use at least 1"
            )
        if not 0 <= self._max_wait_s <= 1:
            raise ConfigError(f"max_wait_s={self._max_wait_s}; use 0 to 1 second")
        needed = max(model.row_bytes for model in self._models) + _ENVELOPE_BYTES
        if self._max_message_bytes < needed:
            raise ConfigError(
                f"max_message_bytes={self._max_message_bytes} holds no single sample; use at least {needed}"
            )


def serve(
    bundle: Bundle,
    *,
    tail: Compute | None = None,
    threads: int = 1,
    host: str = "127.0.0.1",
    port: int = 0,
    max_batch: int = 256,
    max_wait_s: float = 0.002,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    security: ServerSecurity | None = None,
    metrics: Metrics | None = None,
    drain_s: float = 10.0,
    on_ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Serves a bundle until SIGTERM or SIGINT, then finishes the requests in flight and returns.

    To be called in the main thread, where signals arrive.

    Args:
        bundle: with its tail; with the head too, raw samples are answered as well.
        tail: any callable on arrays (Torch, ONNX) in place of the bundle's tail: features
            (batch, n_features) float32 -> scores (batch, n_classes). It is called in one thread at a time.
        drain_s: the longest that requests in flight may take after the signal.
        on_ready: called with the port once requests are answered.
        threads, host, port, max_batch, max_wait_s, max_message_bytes, security, metrics: see `models_of`
            and `TailServer`.

    Raises:
        ConfigError: a setting outside its range, no tail, or an address that cannot be had.
    """
    server = TailServer(
        models_of(bundle, tail=tail, threads=threads),
        host=host,
        port=port,
        max_batch=max_batch,
        max_wait_s=max_wait_s,
        max_message_bytes=max_message_bytes,
        security=security,
        metrics=metrics,
    )
    asyncio.run(_serve_until_signal(server, drain_s, on_ready))


async def _serve_until_signal(server: TailServer, drain_s: float, on_ready: Callable[[int], None]) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    await server.start()
    try:
        on_ready(server.port)
        await told_to_stop.wait()
    finally:
        await server.stop(drain_s)
