"""Counts of a server for Prometheus, over HTTP: named after Triton's where Triton has the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from offramp.errors import MissingDependencyError
from offramp.runtime.fleet import Dashboard, Fleet
from offramp.runtime.listener import Listener, Page
from offramp.runtime.metering import BOUNDS_S, Meter

if TYPE_CHECKING:
    from prometheus_client.core import Metric

PATH = "/metrics"


class Metrics:
    """What a tail server has counted, as a page that Prometheus reads; for one `TailServer`.

    Args:
        port: 0 takes any free one.
        host: the page has no TLS and asks for no token, so only loopback, or any address with `insecure`.
        fleet: shown on a page for people too, at /.

    Raises:
        ConfigError: a port outside its range, or a host that would be reachable from elsewhere.
        MissingDependencyError: prometheus_client is not installed.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        insecure: bool = False,
        fleet: Fleet | None = None,
    ) -> None:
        self.meter = Meter()
        routes = {PATH: _page_of(self.meter)}
        dashboard = None if fleet is None else Dashboard(fleet, self.meter)
        self._listener = Listener(
            routes if dashboard is None else routes | dashboard.routes,
            port=port,
            host=host,
            insecure=insecure,
            on_tick=(lambda: None) if dashboard is None else dashboard.tick,
        )
        self._has_dashboard = dashboard is not None

    @property
    def url(self) -> str:
        """Where the page for Prometheus is, once started."""
        return self._listener.url + PATH

    @property
    def dashboard_url(self) -> str | None:
        """Where the page for people is, once started; None without a fleet."""
        return self._listener.url + "/" if self._has_dashboard else None

    def start(self) -> None:
        """Listens and answers from now on, in a thread.

        Raises:
            ConfigError: the address cannot be had.
        """
        self._listener.start()

    def stop(self) -> None:
        """Listens no more; of no effect unless started."""
        self._listener.stop()


def _page_of(meter: Meter) -> Callable[[str], Page]:
    """The page in the form that is asked for, from a registry of its own: nothing that another part of the
    process counts is in it."""
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import choose_encoder
    except ImportError as error:
        raise MissingDependencyError(
            "metrics need prometheus_client, which is not installed; run: pip install 'offramp[serve]'"
        ) from error
    registry = CollectorRegistry()
    registry.register(_Collector(meter))

    def page(accept: str) -> Page:
        encode, content_type = choose_encoder(accept)
        return Page(encode(registry), content_type)

    return page


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
