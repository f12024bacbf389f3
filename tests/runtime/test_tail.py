import asyncio
import dataclasses
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from offramp.codec import FloatCodec
from offramp.errors import ConfigError
from offramp.runtime import Network, ServerSecurity, TailServer, TailSettings, models_of
from offramp.wire import SERVICE, InferRequest, InferResponse, ModelQuery, Parameter, Tensor, features_request
from offramp.wire import open_inference_pb2 as oip


@pytest.fixture
def call(request):
    """Calls a method of a server: bytes to bytes."""
    channels = {}

    def made(address, method, data=b"", *, timeout=10):
        if address not in channels:
            channels[address] = grpc.insecure_channel(address)
        return channels[address].unary_unary(f"/{SERVICE}/{method}")(data, timeout=timeout)

    yield made
    for channel in channels.values():
        channel.close()


def features(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 8), dtype=np.float32)


def coded(bundle, x, *, id="", **changes):
    settings = {"model_name": "tiny.tail", "head_digest": bundle.features_digest}
    rows = FloatCodec().encode_rows(x)
    return features_request(rows, n_features=x.shape[1], codec=FloatCodec(), id=id, **(settings | changes))


def plain(array, *, model="tiny.tail", outputs=(), **parameters: Parameter):
    return InferRequest(model, (Tensor("x", array),), parameters=parameters, outputs=outputs)


def scores_in(data):
    return InferResponse.from_bytes(data).outputs[0].array


def refusal(call, address, request):
    data = request if isinstance(request, bytes) else request.to_bytes()
    with pytest.raises(grpc.RpcError) as caught:
        call(address, "ModelInfer", data)
    return caught.value.code().name, caught.value.details()


def test_live_ready_and_metadata(bundle, host, call):
    address = host(bundle)
    assert oip.ServerLiveResponse.FromString(call(address, "ServerLive")).live
    assert oip.ServerReadyResponse.FromString(call(address, "ServerReady")).ready
    query = ModelQuery("tiny.tail").to_bytes()
    assert oip.ModelReadyResponse.FromString(call(address, "ModelReady", query)).ready
    server = oip.ServerMetadataResponse.FromString(call(address, "ServerMetadata"))
    assert (server.name, server.extensions) == ("offramp", ["offramp_coded_features"])
    model = oip.ModelMetadataResponse.FromString(call(address, "ModelMetadata", query))
    assert (model.name, model.inputs[0].shape, model.outputs[0].shape) == ("tiny.tail", [-1, 8], [-1, 3])


@pytest.mark.parametrize("n", [1, 5, 200])
def test_features_coded_or_plain_and_samples_get_their_scores(bundle, host, call, workshop, n):
    address = host(bundle)
    samples = workshop.samples(n)
    x = Network(bundle.head)(bundle.preprocessing(samples))
    expected = Network(bundle.tail)(x)
    for request in (coded(bundle, x), plain(x), plain(samples, model="tiny")):
        response = InferResponse.from_bytes(call(address, "ModelInfer", request.to_bytes()))
        assert [tensor.name for tensor in response.outputs] == ["scores"]
        np.testing.assert_allclose(response.outputs[0].array, expected, rtol=1e-5, atol=1e-5)


def test_answers_of_many_callers_at_once_are_never_mixed_up(bundle, host, call):
    sizes = []

    def tail(x):
        sizes.append(len(x))
        return x[:, :3] * 10

    address = host(bundle, tail=tail)

    def ask(i):
        x = np.full((1 + i % 3, 8), i, np.float32)
        response = InferResponse.from_bytes(
            call(address, "ModelInfer", coded(bundle, x, id=f"number {i}").to_bytes())
        )
        return response.id == f"number {i}" and (response.outputs[0].array == 10 * x[:, :3]).all()

    with ThreadPoolExecutor(24) as callers:
        assert all(callers.map(ask, range(400)))
    assert max(sizes) > 3, "nothing was ever batched"


def test_callers_whose_rows_leave_by_an_inner_exit_and_others_share_batches(workshop, host, call):
    exiting = workshop.bundle_with_inner_exits(tail_rule=0.9)
    address = host(exiting, max_wait_s=0.05)
    requests = [features(1 + i % 5, seed=i) for i in range(60)]

    def ask(x):
        return scores_in(call(address, "ModelInfer", coded(exiting, x).to_bytes()))

    with ThreadPoolExecutor(16) as callers:
        answers = list(callers.map(ask, requests))
    exit = exiting.inner_exits[1]
    n_left = 0
    for x, answer in zip(requests, answers, strict=True):
        early = Network(exit.part)(Network(exiting.tail, stop=exit.after)(x))
        sure = exit.rule.sure(early)
        n_left += sure.sum()
        expected = np.where(sure[:, None], early, Network(exiting.tail)(x))
        np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-4)
    assert 0 < n_left < sum(map(len, requests))


def test_the_server_answers_while_the_model_computes(bundle, host, call):
    busy, release = threading.Event(), threading.Event()

    def tail(x):
        busy.set()
        assert release.wait(10)
        return x[:, :3]

    address = host(bundle, tail=tail)
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(call, address, "ModelInfer", plain(features(1)).to_bytes())
        assert busy.wait(10)
        assert oip.ServerLiveResponse.FromString(call(address, "ServerLive", timeout=2)).live
        release.set()
        assert scores_in(waiting.result(10)).shape == (1, 3)


def test_the_server_answers_while_it_reads_a_large_request(bundle, loop, call):
    busy, release = threading.Event(), threading.Event()
    tail = models_of(bundle)[0]

    def read(request):
        busy.set()
        assert release.wait(10)
        return tail.read(request)

    server = TailServer([dataclasses.replace(tail, read=read)])
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    address = f"127.0.0.1:{server.port}"
    try:
        with ThreadPoolExecutor(1) as caller:
            waiting = caller.submit(call, address, "ModelInfer", plain(features(1000)).to_bytes())
            assert busy.wait(10)
            try:
                assert oip.ServerLiveResponse.FromString(call(address, "ServerLive", timeout=2)).live
            finally:
                release.set()
            assert scores_in(waiting.result(10)).shape == (1000, 3)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)


def test_every_fault_of_the_caller_has_its_status_and_a_message(bundle, host, call):
    address = host(bundle)
    x = features(1)
    cases = [
        (b"\xff\xff", "INVALID_ARGUMENT", "2 bytes that are no ModelInferRequest"),
        (plain(x[:, :7]), "INVALID_ARGUMENT", "shape (1, 7); this model reads [-1, 8]"),
        (plain(x, outputs=("loss",)), "INVALID_ARGUMENT", "no output 'loss'; this model writes 'scores'"),
        (plain(x.astype(np.uint8)), "INVALID_ARGUMENT", "without the request parameter 'codec'"),
        (plain(x, model="tiny"), "INVALID_ARGUMENT", "is FP32; this model reads UINT8"),
        (plain(x, model="huge"), "NOT_FOUND", "no model 'huge' here; there is 'tiny.tail', 'tiny'"),
        (InferRequest("tiny", (), model_version="2"), "NOT_FOUND", "no version '2'; ask for '1' or none"),
        (coded(bundle, x, head_digest="f" * 64), "FAILED_PRECONDITION", "features of head 'ffffffffffff'"),
        (plain(x, head_digest="other"), "FAILED_PRECONDITION", "deploy both from one bundle"),
        (plain(x, head_digest=5), "FAILED_PRECONDITION", "features of head '5'"),
        (plain(x, model="m" * 5000), "NOT_FOUND", "no model 'mmm"),
    ]
    for request, status, text in cases:
        code, details = refusal(call, address, request)
        assert code == status, details
        assert text in details
        assert len(details) <= 500


@pytest.mark.parametrize("method", ["ModelReady", "ModelMetadata"])
def test_an_unknown_model_is_not_found(bundle, host, call, method):
    address = host(bundle)
    with pytest.raises(grpc.RpcError) as caught:
        call(address, method, ModelQuery("huge").to_bytes())
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_request_beyond_the_size_limit_is_refused_and_the_server_lives_on(bundle, host, call):
    address = host(bundle, max_message_bytes=4096)
    code, _ = refusal(call, address, plain(features(1000)))
    assert code == "RESOURCE_EXHAUSTED"
    assert scores_in(call(address, "ModelInfer", plain(features(1)).to_bytes())).shape == (1, 3)


def test_more_requests_than_allowed_at_once_are_refused(bundle, host, call):
    busy, release = threading.Event(), threading.Event()

    def tail(x):
        busy.set()
        assert release.wait(10)
        return x[:, :3]

    address = host(bundle, tail=tail, max_requests=1)
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(call, address, "ModelInfer", plain(features(1)).to_bytes())
        assert busy.wait(10)
        assert refusal(call, address, plain(features(1)))[0] == "RESOURCE_EXHAUSTED"
        release.set()
        assert scores_in(waiting.result(10)).shape == (1, 3)


def test_a_tail_that_fails_is_an_internal_error_without_internals(bundle, host, call):
    answers = iter(
        [
            lambda x: open("/secret/path"),  # noqa: SIM115 (raises)
            lambda x: x[:, :2],
            lambda x: np.full((len(x), 3), np.nan),
            lambda x: None,
            lambda x: x[:, :3],
        ]
    )
    address = host(bundle, tail=lambda x: next(answers)(x))
    for _ in range(4):
        assert refusal(call, address, plain(features(1))) == (
            "INTERNAL",
            "the model failed on this input; the server's log says why",
        )
    assert scores_in(call(address, "ModelInfer", plain(features(1)).to_bytes())).shape == (1, 3)


def test_a_bug_of_ours_is_an_internal_error_without_internals(bundle, host, call, monkeypatch):
    monkeypatch.setattr(InferRequest, "from_bytes", lambda data: 1 / 0)
    refused = refusal(call, host(bundle), plain(features(1)))
    assert refused == ("INTERNAL", "the server failed; its log says why")


def test_stopping_finishes_the_requests_in_flight(bundle, loop, call):
    busy, release = threading.Event(), threading.Event()

    def tail(x):
        busy.set()
        assert release.wait(10)
        return x[:, :3]

    server = TailServer(models_of(bundle, tail=tail))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    address = f"127.0.0.1:{server.port}"
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(call, address, "ModelInfer", plain(features(1)).to_bytes())
        assert busy.wait(10)
        stopping = asyncio.run_coroutine_threadsafe(server.stop(), loop)
        deadline = time.monotonic() + 10
        code = None
        while code != "UNAVAILABLE" and time.monotonic() < deadline:
            try:
                with grpc.insecure_channel(address) as late:
                    late.unary_unary(f"/{SERVICE}/ServerReady")(b"", timeout=1)
            except grpc.RpcError as error:
                code = error.code().name
        assert code == "UNAVAILABLE"
        assert not stopping.done()
        release.set()
        assert scores_in(waiting.result(10)).shape == (1, 3)
        stopping.result(10)


def test_it_listens_on_one_loopback_address_only(bundle, host):
    port = int(host(bundle).split(":")[1])
    with socket.socket() as probe:
        probe.settimeout(2)
        with pytest.raises(OSError):  # a server on every address would answer here
            probe.connect(("127.0.0.2", port))


def test_a_port_in_use_is_one_clear_error(bundle, loop):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = TailServer(models_of(bundle), TailSettings(port=port))
        with pytest.raises(ConfigError, match=f"^cannot listen on 127.0.0.1:{port}: Address already in use"):
            asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)


@pytest.mark.parametrize("address", ["192.0.2.1", "::2", "no such host"])
def test_an_address_that_is_not_this_machines_is_one_clear_error(bundle, loop, address):
    server = TailServer(models_of(bundle), TailSettings(host=address), security=ServerSecurity(insecure=True))
    with pytest.raises(ConfigError, match=r"^cannot listen on .*:0: .*; choose another host or port"):
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"port": 65536}, "port 65536; use 1 to 65535, or 0"),
        ({"max_batch": 0}, "max_batch=0, max_requests=1024; use at least 1"),
        ({"max_wait_s": -1.0}, "max_wait_s=-1.0; use 0 to 1 second"),
        ({"max_message_bytes": 100}, "max_message_bytes=100 holds no single sample; use at least 1056"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_setting_outside_its_range_is_refused(bundle, settings, text):
    with pytest.raises(ConfigError, match=text):
        TailServer(models_of(bundle), TailSettings(**settings))
