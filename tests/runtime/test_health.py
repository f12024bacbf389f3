import asyncio
import builtins
import threading
import time

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from offramp.runtime import ServerSecurity, TailServer, models_of
from offramp.wire import SERVICE, InferRequest, Tensor

STATUS = health_pb2.HealthCheckResponse
TOKEN = "0123456789abcdef"


def asked(name=""):
    return health_pb2.HealthCheckRequest(service=name)


@pytest.fixture
def health():
    """The health service of a server, as grpc_health's own client sees it."""
    channels = []

    def made(address):
        channels.append(grpc.insecure_channel(address))
        return health_pb2_grpc.HealthStub(channels[-1])

    yield made
    for channel in channels:
        channel.close()


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.touch(0o600)
    path.write_text(TOKEN)
    return ServerSecurity(token_file=path)


@pytest.mark.parametrize("name", ["", "tiny", "tiny.tail"])
def test_the_server_and_each_model_are_serving(bundle, host, health, name):
    assert health(host(bundle)).Check(asked(name), timeout=10).status == STATUS.SERVING


def test_the_health_of_another_name_is_not_found_and_unknown_to_a_watcher(bundle, host, health):
    stub = health(host(bundle))
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(asked("huge"), timeout=10)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watching = stub.Watch(asked("huge"), timeout=10)
    assert next(watching).status == STATUS.SERVICE_UNKNOWN
    watching.cancel()


def test_watchers_learn_of_a_drain_at_its_beginning_and_do_not_hold_it_up(bundle, loop, health):
    busy, release = threading.Event(), threading.Event()

    def tail(x):
        busy.set()
        assert release.wait(10)
        return x[:, :3]

    server = TailServer(models_of(bundle, tail=tail))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    address = f"127.0.0.1:{server.port}"
    stub = health(address)
    watching = [stub.Watch(asked("tiny.tail"), timeout=20) for _ in range(2)]
    assert [next(each).status for each in watching] == [STATUS.SERVING] * 2
    request = InferRequest("tiny.tail", (Tensor("x", np.zeros((1, 8), np.float32)),)).to_bytes()
    with grpc.insecure_channel(address) as channel:
        waiting = channel.unary_unary(f"/{SERVICE}/ModelInfer").future(request, timeout=20)
        assert busy.wait(10)
        began = time.monotonic()
        stopping = asyncio.run_coroutine_threadsafe(server.stop(drain_s=15), loop)
        assert [next(each).status for each in watching] == [STATUS.NOT_SERVING] * 2
        assert [list(each) for each in watching] == [[], []]
        assert not stopping.done()
        release.set()
        assert waiting.result()
        stopping.result(20)
        assert time.monotonic() - began < 10


def test_a_check_needs_no_token_and_all_else_does(bundle, host, health, tokens):
    address = host(bundle, security=tokens)
    stub = health(address)
    assert stub.Check(asked("tiny"), timeout=10).status == STATUS.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        next(stub.Watch(asked(), timeout=10))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    watching = stub.Watch(asked(), timeout=10, metadata=(("authorization", f"Bearer {TOKEN}"),))
    assert next(watching).status == STATUS.SERVING
    watching.cancel()
    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{SERVICE}/ServerLive")(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_without_grpc_health_the_server_answers_and_has_no_health_service(bundle, host, health, monkeypatch):
    imported = builtins.__import__

    def without(name, *rest):
        if name.startswith("grpc_health"):
            raise ModuleNotFoundError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    address = host(bundle)
    with grpc.insecure_channel(address) as channel:
        assert channel.unary_unary(f"/{SERVICE}/ServerReady")(b"", timeout=10)
    with pytest.raises(grpc.RpcError) as caught:
        health(address).Check(asked(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
