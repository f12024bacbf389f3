"""A few pages over plain HTTP, for this machine: no TLS, no token, nothing that can be changed."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from offramp.errors import ConfigError
from offramp.runtime.security import ServerSecurity

_TIMEOUT_S = 5.0  # of a connection that says nothing
_TICK_S = 0.05


@dataclass(frozen=True)
class Page:
    """What a GET is answered with."""

    content: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Listener:
    """Answers GET for some paths, in threads of its own, from `start` to `stop`.

    Args:
        routes: path -> what makes the page, given the request's Accept header.
        port: 0 takes any free one.
        host: only loopback, or any address with `insecure`.
        on_tick: called many times a second, never twice at a time.

    Raises:
        ConfigError: a port outside its range, or a host that would be reachable from elsewhere.
    """

    def __init__(
        self,
        routes: Mapping[str, Callable[[str], Page]],
        *,
        port: int,
        host: str,
        insecure: bool,
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ConfigError(f"metrics port {port}; use 1 to 65535, or 0 for any free one")
        if not insecure and ServerSecurity().exposes(host):
            raise ConfigError(
                f"metrics on {host!r} can be reached from elsewhere and have no TLS; listen on 127.0.0.1,"
                " where a collector on this machine reads them, or say --insecure in a network that you trust"
            )
        self._routes = dict(routes)
        self._port = port
        self._host = host
        self._on_tick = on_tick
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, once started, without a path."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Listens and answers from now on.

        Raises:
            ConfigError: the address cannot be had.
        """
        try:
            self._server = _server(self._host, self._port, self._routes, self._on_tick)
        except OSError as error:
            raise ConfigError(
                f"cannot listen for metrics on {self.url.removeprefix('http://')}:"
                f" {error.strerror or error}; choose another --metrics-port, 0 takes any free one"
            ) from error
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_TICK_S,), name="offramp-metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Listens no more; of no effect unless started."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None


def _server(
    host: str, port: int, routes: Mapping[str, Callable[[str], Page]], on_tick: Callable[[], None]
) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def service_actions(self) -> None:
            on_tick()

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exception(), OSError):  # as when a browser no longer waits for its answer
                super().handle_error(request, client_address)

    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S
        server_version, sys_version = "offramp", ""

        def do_GET(self) -> None:
            route = routes.get(self.path.partition("?")[0])
            if route is None:
                self.send_error(404)
                return
            page = route(self.headers.get("Accept", ""))
            self.send_response(200)
            self.send_header("Content-Type", page.content_type)
            self.send_header("Content-Length", str(len(page.content)))
            for name, value in page.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page.content)

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not worth a line each."""

    return Server((host, port), Handler)
