"""A server as a process, told to stop."""

import queue
import signal
import subprocess
import sys

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from offramp.errors import ConfigError
from offramp.runtime import serve
from offramp.wire import SERVICE, InferRequest, Tensor, read_ready
from offramp.wire import open_inference_pb2 as oip

STATUS = health_pb2.HealthCheckResponse
SERVER = """
import sys
from offramp import bundle
from offramp.runtime import serve

def tail(x):
    print("busy", flush=True)
    sys.stdin.readline()
    return x[:, :3]

serve(
    bundle.read(sys.argv[1]), tail=tail if sys.argv[2] == "slow" else None, notice_s=float(sys.argv[3]),
    drain_s=20, on_ready=lambda server: print(server.port, flush=True),
)
print("drained", flush=True)
"""


@pytest.fixture
def started(bundle_path):
    """Starts a server, whose tail may wait for a line, in a process; that, and a channel to it."""
    processes, channels = [], []

    def start(tail, *, notice_s=0.0):
        command = [sys.executable, "-c", SERVER, str(bundle_path), tail, str(notice_s)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        channels.append(grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}"))
        return process, channels[-1]

    yield start
    for channel in channels:
        channel.close()
    for process in processes:
        process.kill()
        process.communicate()


REQUEST = InferRequest("tiny.tail", (Tensor("x", np.zeros((1, 8), np.float32)),)).to_bytes()


def call(channel, method, data=b""):
    return channel.unary_unary(f"/{SERVICE}/{method}")(data, timeout=20)


def call_until_refused(channel):
    while call(channel, "ServerLive"):
        pass


def test_during_the_notice_it_is_not_serving_and_still_answers_then_ends(started):
    process, channel = started("own", notice_s=1.5)
    health = health_pb2_grpc.HealthStub(channel)
    watching = health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
    assert next(watching).status == STATUS.SERVING
    requests = queue.SimpleQueue()
    stream = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")(iter(requests.get, None), timeout=20)
    requests.put(REQUEST)
    assert next(stream)
    process.send_signal(signal.SIGTERM)
    assert next(watching).status == STATUS.NOT_SERVING
    assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status == STATUS.NOT_SERVING
    assert not read_ready(call(channel, "ServerReady"))
    assert oip.ServerLiveResponse.FromString(call(channel, "ServerLive")).live
    assert call(channel, "ModelInfer", REQUEST)
    requests.put(REQUEST)
    assert next(stream)
    requests.put(None)
    assert process.wait(20) == 0
    assert process.stdout.readline() == "drained\n"
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "ServerLive")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_it_at_once(started, second):
    process, channel = started("slow")
    asked = channel.unary_unary(f"/{SERVICE}/ModelInfer").future(REQUEST, timeout=20)
    assert process.stdout.readline() == "busy\n"
    process.send_signal(signal.SIGTERM)
    with pytest.raises(grpc.RpcError):
        call_until_refused(channel)  # it has heard the first
    assert process.poll() is None
    process.send_signal(second)
    assert process.wait(10) == -second
    assert asked.exception().code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"notice_s": -1.0}, "notice_s=-1.0; use a number of seconds from 0 on, below 3600"),
        ({"drain_s": 1e9}, "drain_s=1000000000.0; use a number of seconds from 0 on, below 3600"),
        ({"reload_s": 0.0}, "reload_s=0.0; use a number of seconds above 0, or None"),
    ],
    ids=["notice_s", "drain_s", "reload_s"],
)
def test_a_time_outside_its_range_is_refused(bundle, settings, text):
    with pytest.raises(ConfigError) as caught:
        serve(bundle, **settings)
    assert str(caught.value) == text


def test_bundles_and_a_callable_must_fit(bundle):
    for given, tail in (((), None), ((bundle, bundle), abs)):
        with pytest.raises(ConfigError) as caught:
            serve(*given, tail=tail)
        assert str(caught.value) == (
            f"{len(given)} bundles to serve; give one or more, and with tail= just one"
        )
