"""Traces of requests for OpenTelemetry; where they go, its OTEL_* variables in the environment say."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from offramp.errors import MissingDependencyError
from offramp.runtime.passage import STAGES, Passage

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class Tracing:
    """An `Observer` that makes a span of each request, with one for each of its stages in it.

    The caller's `traceparent`, in the metadata of its call (W3C Trace Context), is the parent. Spans are made
    when a request has ended, from the times that it noted: a request in flight costs nothing more.

    Args:
        provider: of spans; by default one that exports in batches over OTLP.

    Raises:
        MissingDependencyError: opentelemetry is not installed.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        try:
            from opentelemetry import trace
            from opentelemetry.propagate import extract

            self._provider = provider or _exporting()
        except ImportError as error:
            raise MissingDependencyError(
                "traces need opentelemetry, which is not installed; run: pip install 'offramp[otel]'"
            ) from error
        self._tracer = self._provider.get_tracer("offramp")
        self._trace, self._extract = trace, extract

    def __call__(self, passage: Passage) -> None:
        """The spans of a request that has ended."""
        trace, times = self._trace, passage.times_ns
        carrier = {key: value for key, value in passage.metadata if isinstance(value, str)}
        end_ns = times[0] + round(1e9 * passage.duration_s)
        span = self._tracer.start_span(
            "inference.GRPCInferenceService/ModelInfer",
            context=self._extract(carrier),
            kind=trace.SpanKind.SERVER,
            start_time=times[0],
            attributes={
                "rpc.system": "grpc",
                "rpc.grpc.status": passage.status,
                "offramp.model": passage.tally.model,
                "offramp.version": passage.tally.version,
                "offramp.request_id": passage.id,
                "offramp.rows": passage.n_rows,
                "offramp.request_bytes": passage.request_bytes,
                "offramp.response_bytes": passage.response_bytes,
            },
        )
        if passage.status != "OK":
            span.set_status(trace.StatusCode.ERROR, passage.status)
        inside = trace.set_span_in_context(span)
        for stage, (begun, ended) in zip(STAGES, pairwise(times), strict=False):  # as far as it got
            self._tracer.start_span(stage, context=inside, start_time=begun).end(ended)
        span.end(max(end_ns, times[-1]))

    def close(self) -> None:
        """Exports what is left."""
        self._provider.shutdown()


def _exporting() -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "offramp"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
