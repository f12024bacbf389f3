"""Counts of a server for Prometheus, over HTTP: named after Triton's where Triton has the same."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from offramp.errors import ConfigError, MissingDependencyError
from offramp.runtime.metering import BOUNDS_S, Meter
from offramp.runtime.security import ServerSecurity

if TYPE_CHECKING:
    from prometheus_client.core import Metric

PATH = "/metrics"
_TIMEOUT_S = 5.0  # of a connection that says nothing


class Metrics:
    """What a tail server has counted, as a page that Prometheus reads; for one `TailServer`.

    Args:
        port: 0 takes any free one.
        host: the page has no TLS and asks for no token, so only loopback, or any address with `insecure`.

    Raises:
        ConfigError: a port outside its range, or a host that would be reachable from elsewhere.
        MissingDependencyError: prometheus_client is not installed.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", insecure: bool = False) -> None:
        if not 0 <= port <= 65535:
            raise ConfigError(f"metrics port {port}; use 1 to 65535, or 0 for any free one")
        if not insecure and ServerSecurity().exposes(host):
            raise ConfigError(
                f"metrics on {host!r} can be reached from elsewhere and have no TLS; listen on 127.0.0.1,"
                " where a collector on this machine reads them, or say --insecure in a network that you trust"
            )
        self.meter = Meter()
        self._host = host
        self._port = port
        self._page = _page_of(self.meter)
        self._listener: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the page is, once started."""
        return f"http://{self._bracketed_host()}:{self._port}{PATH}"

    def start(self) -> None:
        """Listens and answers from now on, in a thread.

        Raises:
            ConfigError: the address cannot be had.
        """
        try:
            self._listener = _listener(self._host, self._port, self._page)
        except OSError as error:
            raise ConfigError(
                f"cannot listen for metrics on {self._bracketed_host()}:{self._port}:"
                f" {error.strerror or error}; choose another --metrics-port, 0 takes any free one"
            ) from error
        self._port = self._listener.server_address[1]
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.05,), name="offramp-metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Listens no more; of no effect unless started."""
        if self._listener is None or self._thread is None:
            return
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
        self._listener = self._thread = None

    def _bracketed_host(self) -> str:
        return f"[{self._host}]" if ":" in self._host else self._host


class _Page:
    """The page from a registry of its own: nothing that another part of the process counts is in it."""

    def __init__(self, registry: Any, choose_encoder: Any) -> None:
        self._registry = registry
        self._choose_encoder = choose_encoder

    def __call__(self, accept: str) -> tuple[bytes, str]:
        """The page in the form that is asked for, and the name of that form."""
        encode, content_type = self._choose_encoder(accept)
        return encode(self._registry), content_type


def _page_of(meter: Meter) -> _Page:
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder
    except ImportError as error:
        raise MissingDependencyError(
            "metrics need prometheus_client, which is not installed; run: pip install 'offramp[serve]'"
        ) from error
    registry = CollectorRegistry()
    registry.register(_Collector(meter))
    return _Page(registry, choose_encoder)


class _Collector:
    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def collect(self) -> Iterator[Metric]:
        return _families(self._meter)


def _families(meter: Meter) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
    from prometheus_client.core import UnknownMetricFamily as Untyped

    tallies = [tally for _, tally in meter]
    labels = ["model", "version"]
    # Untyped, since as counters Prometheus' library would name them ..._total, and dashboards for Triton
    # would not find them.
    for made, name, text, attribute in (
        (Untyped, "nv_inference_request_success", "Requests answered", "n_answered"),
        (Untyped, "nv_inference_count", "Rows computed", "n_rows"),
        (Untyped, "nv_inference_exec_count", "Batches computed", "n_batches"),
        (Untyped, "nv_inference_request_duration_us", "Time of requests answered", "duration_us"),
        (Untyped, "nv_inference_queue_duration_us", "Time that requests waited for the model", "queue_us"),
        (Untyped, "nv_inference_compute_infer_duration_us", "Time in the model, of requests", "compute_us"),
        (CounterMetricFamily, "offramp_request_bytes", "Bytes of requests", "request_bytes"),
        (CounterMetricFamily, "offramp_response_bytes", "Bytes of answers", "response_bytes"),
        (GaugeMetricFamily, "offramp_requests_in_flight", "Requests not yet answered", "in_flight"),
    ):
        family: Any = made(name, text, labels=labels)
        for tally in tallies:
            family.add_metric([tally.model, tally.version], getattr(tally, attribute))
        yield family

    held = "Bytes that requests take until their answers are sent"
    yield GaugeMetricFamily("offramp_bytes_in_flight", held, value=meter.bytes_in_flight)

    failures = Untyped("nv_inference_request_failure", "Requests refused", labels=[*labels, "reason"])
    for tally in tallies:
        for reason, n in dict(tally.failures).items():
            failures.add_metric([tally.model, tally.version, reason], n)
    yield failures

    name = "offramp_request_duration_seconds"
    durations = HistogramMetricFamily(name, "Time of requests answered", labels=labels)
    edges = [*map(str, BOUNDS_S), "+Inf"]
    for tally in tallies:
        buckets = list(zip(edges, accumulate(tally.within), strict=True))
        durations.add_metric([tally.model, tally.version], buckets, tally.duration_s)
    yield durations


def _listener(host: str, port: int, page: _Page) -> ThreadingHTTPServer:
    class Listener(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S
        server_version, sys_version = "offramp", ""

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != PATH:
                self.send_error(404)
                return
            content, content_type = page(self.headers.get("Accept", ""))
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are not worth a line each."""

    return Listener((host, port), Handler)
