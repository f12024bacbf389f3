"""Spans of requests: one each, its stages inside, under the caller's own."""

import grpc
import numpy as np
import pytest

from offramp import wire
from offramp.runtime.tracing import Tracing

trace_sdk = pytest.importorskip("opentelemetry.sdk.trace")
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def exported():
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory = InMemorySpanExporter()
    provider = trace_sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracing = Tracing(provider)
    yield tracing, memory.get_finished_spans
    tracing.close()


def infer(address, array, metadata=()):
    request = wire.InferRequest("tiny.tail", (wire.Tensor("x", array),), id="7")
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{wire.SERVICE}/ModelInfer")
        return call(request.to_bytes(), timeout=10, metadata=metadata)


def test_a_request_is_a_span_under_its_callers_with_its_stages_inside(bundle, host, exported):
    tracing, spans = exported
    address = host(bundle, observers=[tracing])
    infer(address, np.zeros((2, 8), np.float32), [("traceparent", PARENT)])
    *stages, request = spans()
    assert format(request.context.trace_id, "032x") == PARENT.split("-")[1]
    assert format(request.parent.span_id, "016x") == PARENT.split("-")[2]
    assert request.kind.name == "SERVER"
    assert dict(request.attributes) | {
        "offramp.model": "tiny.tail",
        "offramp.request_id": "7",
        "offramp.rows": 2,
        "rpc.grpc.status": "OK",
    } == dict(request.attributes)
    assert [stage.name for stage in stages] == ["read", "compute", "write"]
    assert {stage.parent.span_id for stage in stages} == {request.context.span_id}
    ends = [request.start_time, *(time for stage in stages for time in (stage.start_time, stage.end_time))]
    assert [*ends, request.end_time] == sorted([*ends, request.end_time])


def test_a_request_that_is_refused_is_a_span_that_says_so(bundle, host, exported):
    tracing, spans = exported
    with pytest.raises(grpc.RpcError):
        infer(host(bundle, observers=[tracing]), np.zeros((2, 5), np.float32))
    [request] = spans()
    assert request.status.status_code.name == "ERROR"
    assert request.attributes["rpc.grpc.status"] == "INVALID_ARGUMENT"
    assert request.parent is None
