"""The tail: a server that answers for the models of bundles."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Hashable, Iterable
from typing import Self

import grpc

from offramp import wire
from offramp.errors import ConfigError
from offramp.runtime.catalog import Catalog
from offramp.runtime.fleet import Fleet
from offramp.runtime.health import GuardExceptHealth, Health
from offramp.runtime.metering import Meter
from offramp.runtime.metrics import Metrics
from offramp.runtime.models import Model
from offramp.runtime.passage import Observer, count
from offramp.runtime.room import Room
from offramp.runtime.security import ServerCredentials, ServerSecurity
from offramp.runtime.service import INFER, STREAM, Service
from offramp.runtime.tail_settings import TailSettings


class TailServer:
    """A gRPC server for the Open Inference Protocol, with micro-batching; an async context manager.

    The standard health service is on the same port, where grpc_health is installed (extra `serve`): SERVING
    for "" and each model. Its Check needs no token, see `GuardExceptHealth`.

    Args:
        models: what it answers for, see `models_of`; those of one name are its versions 1, 2 and so on. More
            may be added at any time.
        security: TLS and tokens; certificates and tokens are followed when their files change.
        metrics: shows what is counted while the server runs.
        fleet: takes the reports of edges; without one they are told that nobody does.
        observers: told of each request once it has ended.

    Attributes:
        meter: what the requests came to.

    Raises:
        ConfigError: files of `security` that cannot be used, a host that would be reachable from elsewhere
            without TLS, or a model of which a request can hold no sample.
    """

    def __init__(
        self,
        models: Iterable[Model] = (),
        settings: TailSettings | None = None,
        *,
        security: ServerSecurity | None = None,
        metrics: Metrics | None = None,
        fleet: Fleet | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        self._settings = settings or TailSettings()
        self._port = self._settings.port
        self._metrics = metrics
        self._fleet = fleet
        self.meter = Meter() if metrics is None else metrics.meter
        self._observers = (count, *observers)
        self._catalog = Catalog(
            self.meter, max_batch=self._settings.max_batch, max_wait_s=self._settings.max_wait_s
        )
        self._ready = self._open = False
        self._health: Health | None = None
        self._server: grpc.aio.Server | None = None
        security = security or ServerSecurity()
        security.check_host(self._settings.host)
        self._credentials = ServerCredentials(security)
        self.add(models)

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    @property
    def models(self) -> dict[str, tuple[str, ...]]:
        """The versions of each model, by name, the oldest first."""
        found: dict[str, tuple[str, ...]] = {}
        for served in self._catalog:
            found[served.model.name] = (served.version, *found.get(served.model.name, ()))
        return found

    def add(self, models: Iterable[Model], *, source: Hashable = None) -> dict[str, str]:
        """Answers for these models too, as the next version of their bundle; the version of each, by name.

        Devices with an older head go on being answered: of what the same source gave before, a model stays
        until one with the same name, head and codec takes its place, and no longer than until the second time
        after it. A version that goes finishes its requests. To be called where the server runs, in its event
        loop, or before it is started.

        Args:
            source: for example a path; None for models that stay.

        Raises:
            ConfigError: a model of which a request can hold no sample; then nothing is changed.
        """
        models = tuple(models)
        self._settings.check_models(models)
        return self._catalog.add(models, source=source)

    async def start(self) -> None:
        """Listens and answers from now on.

        Raises:
            ConfigError: the address cannot be had.
        """
        self._check_address()
        options = [
            ("grpc.max_receive_message_length", self._settings.max_message_bytes),
            ("grpc.so_reuseport", 0),  # else a second server would quietly share the port
            # Else gRPC takes in whole messages before anybody reads them, see `Room`; so it has 64 KiB of
            # each, and one that is being read gets the window it needs.
            ("grpc.http2.bdp_probe", 0),
        ]
        if self._metrics is not None:
            self._metrics.start()
        server = grpc.aio.server(
            options=options,
            maximum_concurrent_rpcs=self._settings.max_requests,
            interceptors=self._interceptors(),
        )
        server.add_generic_rpc_handlers((self._service().handler(),))
        if self._fleet is not None:
            server.add_generic_rpc_handlers((self._fleet.handler(),))
        self._health = self._add_health(server)
        try:
            self._port = self._listen(server)
            await server.start()
        except RuntimeError as error:
            await self._close_all()
            raise self._cannot_listen(error) from error
        self._server = server
        self._ready = self._open = True

    async def stop(self, drain_s: float = 10.0, *, notice_s: float = 0.0) -> None:
        """Says that it is not ready, after `notice_s` takes no more requests, finishes those in flight for at
        most `drain_s`, then closes.

        Args:
            notice_s: new requests are still answered for so long, while health checks send callers elsewhere.
        """
        self._ready = False
        if self._health is not None:
            self._health.drain()
        if self._server is not None:
            await asyncio.sleep(notice_s)
            self._open = False
            await self._server.stop(drain_s)
        await self._close_all()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _service(self) -> Service:
        return Service(
            self._catalog,
            meter=self.meter,
            room=Room(
                self._settings.max_bytes_in_flight,
                max_message_bytes=self._settings.max_message_bytes,
                meter=self.meter,
            ),
            observers=self._observers,
            is_ready=lambda: self._ready,
            is_open=lambda: self._open,
        )

    def _interceptors(self) -> tuple[grpc.aio.ServerInterceptor, ...]:
        tokens = self._credentials.tokens
        return () if tokens is None else (GuardExceptHealth(tokens, self._count_stranger),)

    def _count_stranger(self, method: str) -> None:
        if method in (f"/{wire.SERVICE}/{INFER}", f"/{wire.SERVICE}/{STREAM}"):
            self.meter.other.failed("UNAUTHENTICATED")

    def _add_health(self, server: grpc.aio.Server) -> Health | None:
        try:
            health = Health(self._catalog)
        except ImportError:  # without the extra `serve` there is no health service, as said above
            return None
        server.add_generic_rpc_handlers((health.handler(),))
        return health

    def _listen(self, server: grpc.aio.Server) -> int:
        credentials = self._credentials.for_grpc()
        port: int = (
            server.add_insecure_port(self._settings.address)
            if credentials is None
            else server.add_secure_port(self._settings.address, credentials)
        )
        return port

    def _check_address(self) -> None:
        # gRPC would not say what is wrong, and would write lines of its own to stderr.
        host = self._settings.host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, self._settings.port))
        except OSError as error:
            raise self._cannot_listen(error.strerror or error) from error

    def _cannot_listen(self, why: object) -> ConfigError:
        return ConfigError(
            f"cannot listen on {self._settings.address}: {why};"
            " choose another host or port, port 0 takes any free one"
        )

    async def _close_all(self) -> None:
        await asyncio.to_thread(self._catalog.close)
        if self._metrics is not None:
            await asyncio.to_thread(self._metrics.stop)
