import asyncio
import builtins
import socket
import threading
import time
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer

import grpc
import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from offramp.errors import ConfigError, MissingDependencyError
from offramp.runtime import Metrics, ServerSecurity, TailServer, models_of
from offramp.runtime.metering import BOUNDS_S
from offramp.wire import SERVICE, InferRequest, Tensor

PLAIN, OPEN = "text/plain", "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def infer(bundle, host, metrics):
    """Asks a server that `metrics` counts; the answer, or the name of the status."""
    channels = []

    def ask(data, *, timeout=10, **settings):
        if not channels:
            channels.append(grpc.insecure_channel(host(bundle, metrics=metrics, **settings)))
        try:
            return channels[0].unary_unary(f"/{SERVICE}/ModelInfer")(data, timeout=timeout)
        except grpc.RpcError as error:
            return error.code().name

    yield ask
    for channel in channels:
        channel.close()


def request(n=1, *, model="tiny.tail", n_features=8):
    return InferRequest(model, (Tensor("x", np.zeros((n, n_features), np.float32)),)).to_bytes()


def get(url, accept=PLAIN):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=10) as page:
        return page.read().decode()


def shown(metrics, name, **labels):
    """The value of the one sample with these labels, as the page says; of version 1 unless told otherwise."""
    if "model" in labels:
        labels = {"version": "1" if labels["model"] else "", **labels}
    families = plain_text(get(metrics.url))
    found = [s.value for family in families for s in family.samples if (s.name, s.labels) == (name, labels)]
    assert len(found) <= 1
    return found[0] if found else None


def becomes(expected, metrics, name, **labels):
    """Whether the sample gets this value within seconds: callers hear of a failure before it is counted."""
    until = time.monotonic() + 5
    while shown(metrics, name, **labels) != expected and time.monotonic() < until:
        time.sleep(0.01)
    return shown(metrics, name, **labels) == expected


def test_answered_requests_are_counted_with_rows_bytes_and_time(metrics, infer):
    sent = [request(n) for n in (1, 4)]
    answers = [infer(data) for data in sent]
    own = {"model": "tiny.tail"}
    assert shown(metrics, "nv_inference_request_success", **own) == 2
    assert shown(metrics, "nv_inference_count", **own) == 5
    assert shown(metrics, "nv_inference_exec_count", **own) == 2
    assert shown(metrics, "offramp_request_bytes_total", **own) == sum(map(len, sent))
    assert shown(metrics, "offramp_response_bytes_total", **own) == sum(map(len, answers))
    assert becomes(0, metrics, "offramp_requests_in_flight", **own)
    seconds = shown(metrics, "offramp_request_duration_seconds_sum", **own)
    assert 0 < seconds < 10
    assert shown(metrics, "nv_inference_request_duration_us", **own) == round(seconds * 1e6)
    assert shown(metrics, "offramp_request_duration_seconds_bucket", **own, le="+Inf") == 2
    assert shown(metrics, "offramp_request_duration_seconds_count", **own) == 2
    assert shown(metrics, "nv_inference_request_success", model="tiny") == 0


def test_messages_of_a_stream_are_counted_as_calls_are(bundle, host, metrics):
    asked = [request(3), request(n_features=7), request(model="huge")]
    with grpc.insecure_channel(host(bundle, metrics=metrics)) as channel:
        stream = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")
        assert len(list(stream(iter(asked), timeout=10))) == 3
    assert shown(metrics, "nv_inference_request_success", model="tiny.tail") == 1
    assert shown(metrics, "nv_inference_count", model="tiny.tail") == 3
    sent = sum(map(len, asked[:2]))
    assert shown(metrics, "offramp_request_bytes_total", model="tiny.tail") == sent
    for model, reason in (("tiny.tail", "INVALID_ARGUMENT"), ("", "NOT_FOUND")):
        assert shown(metrics, "nv_inference_request_failure", model=model, reason=reason) == 1
    assert becomes(0, metrics, "offramp_requests_in_flight", model="tiny.tail")


def test_each_version_has_counts_of_its_own_until_it_goes(workshop, loop, metrics):
    server = TailServer(metrics=metrics)
    old, new = workshop.bundle(), workshop.bundle(classes=("ant", "bee", "dog"))

    def add(bundle):
        async def added():
            return server.add(models_of(bundle), source="here")

        return asyncio.run_coroutine_threadsafe(added(), loop).result(10)

    add(old)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
            infer(request(), timeout=10)
            stranger = InferRequest("tiny.tail", (), parameters={"head_digest": "f" * 64}).to_bytes()
            with pytest.raises(grpc.RpcError, match="features of head"):
                infer(stranger, timeout=10)
            assert shown(metrics, "nv_inference_request_success", model="tiny.tail", version="1") == 1
            labels = {"model": "tiny.tail", "version": "", "reason": "FAILED_PRECONDITION"}
            assert becomes(1, metrics, "nv_inference_request_failure", **labels)
            add(new)
            infer(request(), timeout=10)
            infer(request(), timeout=10)
        assert shown(metrics, "nv_inference_request_success", model="tiny.tail", version="2") == 2
        assert shown(metrics, "nv_inference_request_success", model="tiny.tail", version="1") is None
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)


def test_waiting_and_computing_are_told_apart_and_bytes_in_flight_are_shown(metrics, infer):
    release = threading.Event()

    def tail(x):
        assert release.wait(10)
        return x[:, :3]

    infer(request(model="huge"), tail=tail)  # which starts the server
    callers = [threading.Thread(target=infer, args=(request(),)) for _ in range(2)]
    callers[0].start()
    first = len(request()) + 4 * (8 + 3)
    assert becomes(first, metrics, "offramp_bytes_in_flight")
    callers[1].start()
    assert becomes(2 * first, metrics, "offramp_bytes_in_flight")
    began = time.perf_counter()
    while time.perf_counter() - began < 0.05:  # the first is computed, the second waits for it
        time.sleep(0.01)
    release.set()
    for caller in callers:
        caller.join(10)
    assert becomes(0, metrics, "offramp_bytes_in_flight")
    for name in ("nv_inference_queue_duration_us", "nv_inference_compute_infer_duration_us"):
        assert 50_000 <= shown(metrics, name, model="tiny.tail") < 10e6


@pytest.mark.parametrize(
    ("data", "model", "status"),
    [
        (request(model="huge"), "", "NOT_FOUND"),
        (request(model="tiny.tale"), "", "NOT_FOUND"),
        (request(model="tiny.tailor"), "", "NOT_FOUND"),
        (b"\xff no message", "", "INVALID_ARGUMENT"),
        (request()[:-3], "", "INVALID_ARGUMENT"),
        (request(n_features=7), "tiny.tail", "INVALID_ARGUMENT"),
        (request(model="tiny"), "tiny", "INVALID_ARGUMENT"),
    ],
    ids=[
        "unknown model",
        "a name as long as ours",
        "a name that begins with ours",
        "garbage",
        "cut off",
        "wrong width",
        "no samples",
    ],
)
def test_a_refused_request_is_a_failure_with_its_status(metrics, infer, data, model, status):
    assert infer(data) == status
    assert becomes(1, metrics, "nv_inference_request_failure", model=model, reason=status)
    for other in ("", "tiny", "tiny.tail"):
        assert shown(metrics, "nv_inference_request_success", model=other) == 0
        assert becomes(0, metrics, "offramp_requests_in_flight", model=other)


def test_a_model_that_fails_is_internal(metrics, infer):
    assert infer(request(), tail=lambda x: 1 / 0) == "INTERNAL"
    assert becomes(1, metrics, "nv_inference_request_failure", model="tiny.tail", reason="INTERNAL")
    assert shown(metrics, "nv_inference_count", model="tiny.tail") == 0


def test_a_request_is_in_flight_until_it_is_answered_and_one_given_up_is_cancelled(metrics, infer):
    release = threading.Event()

    def tail(x):
        assert release.wait(10)
        return x[:, :3]

    assert infer(request(), timeout=0.3, tail=tail) == "DEADLINE_EXCEEDED"
    ended = threading.Event()
    seen = []

    def watch():
        infer(request())
        ended.set()

    caller = threading.Thread(target=watch)
    caller.start()
    while not ended.is_set() and 1.0 not in seen:  # bounded by the caller's deadline
        seen.append(shown(metrics, "offramp_requests_in_flight", model="tiny.tail"))
    release.set()
    caller.join(10)
    assert 1.0 in seen
    assert becomes(1, metrics, "nv_inference_request_failure", model="tiny.tail", reason="CANCELLED")
    assert shown(metrics, "nv_inference_request_success", model="tiny.tail") == 1


def test_a_call_without_token_is_a_failure_of_no_model(metrics, infer, tmp_path):
    path = tmp_path / "tokens"
    path.touch(0o600)
    path.write_text("0123456789abcdef")
    assert infer(request(), security=ServerSecurity(token_file=path)) == "UNAUTHENTICATED"
    assert becomes(1, metrics, "nv_inference_request_failure", model="", reason="UNAUTHENTICATED")


@pytest.mark.parametrize(
    ("accept", "parse"), [(PLAIN, plain_text), (OPEN, openmetrics)], ids=["plain", "open"]
)
def test_the_page_is_valid_in_both_forms(metrics, infer, accept, parse):
    infer(request())
    families = {family.name: family for family in parse(get(metrics.url, accept))}
    assert {s.value for s in families["nv_inference_request_success"].samples} == {0, 1}
    histogram = families["offramp_request_duration_seconds"]
    edges = [s.labels["le"] for s in histogram.samples if s.labels["model"] == "tiny" and "le" in s.labels]
    assert edges == [*map(str, BOUNDS_S), "+Inf"]
    assert not [name for name in families if name.startswith(("python", "process"))]


def test_only_the_page_is_there(metrics, infer):
    infer(request())
    assert get(metrics.url + "?name=x")
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(metrics.url.replace("metrics", ""))
    caught.value.close()


def test_by_default_it_listens_on_one_loopback_address_and_ends_with_the_server(bundle, loop, metrics):
    server = TailServer(models_of(bundle), metrics=metrics)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    port = int(metrics.url.removeprefix("http://127.0.0.1:").removesuffix("/metrics"))
    assert get(metrics.url)
    with socket.socket() as probe:
        probe.settimeout(2)
        with pytest.raises(OSError):  # one on every address would answer here
            probe.connect(("127.0.0.2", port))
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(metrics.url)
    metrics.stop()


def test_without_metrics_nothing_else_is_listened_on(bundle, loop, monkeypatch):
    monkeypatch.setattr(
        ThreadingHTTPServer, "__init__", lambda *_: pytest.fail("a listener nobody asked for")
    )
    server = TailServer(models_of(bundle))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_address_that_others_reach_is_refused_unless_insecure(address):
    with pytest.raises(ConfigError) as caught:
        Metrics(host=address)
    assert str(caught.value) == (
        f"metrics on {address!r} can be reached from elsewhere and have no TLS; listen on 127.0.0.1,"
        " where a collector on this machine reads them, or say --insecure in a network that you trust"
    )
    Metrics(host=address, insecure=True)


def test_a_port_outside_the_range_or_in_use_is_one_clear_error():
    with pytest.raises(ConfigError, match=r"^metrics port 65536; use 1 to 65535, or 0 for any free one$"):
        Metrics(65536)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            Metrics(port).start()
    assert str(caught.value) == (
        f"cannot listen for metrics on 127.0.0.1:{port}: Address already in use;"
        " choose another --metrics-port, 0 takes any free one"
    )


def test_without_prometheus_client_the_error_names_the_extra(monkeypatch):
    imported = builtins.__import__

    def without(name, *rest):
        if name.startswith("prometheus_client"):
            raise ModuleNotFoundError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError) as caught:
        Metrics()
    assert str(caught.value) == (
        "metrics need prometheus_client, which is not installed; run: pip install 'offramp[serve]'"
    )
