"""What requests may take of the memory, and who is refused when it is taken."""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.runtime import Metrics, TailSettings
from offramp.runtime.metering import Meter
from offramp.runtime.passage import Passage
from offramp.runtime.refusals import RefusalError
from offramp.runtime.room import Room
from offramp.wire import SERVICE, InferRequest, Tensor
from offramp.wire import open_inference_pb2 as oip

MIB = 1024 * 1024


def request(n_rows):
    return InferRequest("tiny.tail", (Tensor("x", np.zeros((n_rows, 8), np.float32)),)).to_bytes()


def cost(n_rows):
    """Message, rows of 8 and scores of 3 values."""
    return len(request(n_rows)) + 4 * n_rows * (8 + 3)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60), st.booleans()), max_size=60))
def test_no_more_is_ever_taken_than_there_is_and_all_of_it_comes_back(steps):
    meter = Meter()
    room = Room(100, max_message_bytes=10, meter=meter)
    passages = [Passage(meter.other) for _ in range(5)]
    for number, n_bytes, leaves in steps:
        before = meter.bytes_in_flight
        try:
            room.take(passages[number], n_bytes)
        except RefusalError:
            assert before + n_bytes > 100
            assert meter.bytes_in_flight == before
        if leaves:
            room.leave(passages[number])
            assert passages[number].held_bytes == 0
        assert 0 <= meter.bytes_in_flight == sum(passage.held_bytes for passage in passages) <= 100
    for passage in passages:
        room.leave(passage)
    assert meter.bytes_in_flight == 0


@pytest.fixture
def gate():
    """A tail that waits until it is opened."""

    class Gate:
        opened = threading.Event()

        def __call__(self, x):
            assert self.opened.wait(20)
            return x[:, :3]

    made = Gate()
    yield made
    made.opened.set()


def becomes(expected, read):
    until = time.monotonic() + 30
    while read() != expected and time.monotonic() < until:
        time.sleep(0.01)
    return read() == expected


def test_when_the_room_is_taken_large_and_small_are_refused_and_later_answered_again(bundle, host, gate):
    metrics, n_held = Metrics(), 5
    limit = n_held * cost(10_000) + cost(1) - 1
    address = host(bundle, tail=gate, metrics=metrics, max_bytes_in_flight=limit, max_message_bytes=400_000)
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        held = [call.future(request(10_000), timeout=20) for _ in range(n_held)]
        assert becomes(n_held * cost(10_000), lambda: metrics.meter.bytes_in_flight)
        for n_rows, asked in ((10_000, len(request(10_000))), (1, cost(1))):
            with pytest.raises(grpc.RpcError) as caught:
                call(request(n_rows), timeout=20)
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert caught.value.details() == (
                f"{asked} bytes for this request beside {n_held * cost(10_000)} in flight;"
                f" at most {limit} together, ask again later or send fewer rows"
            )
        gate.opened.set()
        assert all(answer.result() for answer in held)
        assert becomes(0, lambda: metrics.meter.bytes_in_flight)
        assert call(request(1), timeout=20)


def test_messages_of_a_stream_take_room_too_until_the_client_has_read_the_answers(bundle, host, gate):
    metrics = Metrics()
    limit = 3 * cost(10_000)
    address = host(bundle, tail=gate, metrics=metrics, max_bytes_in_flight=limit, max_message_bytes=400_000)
    with grpc.insecure_channel(address) as channel:
        stream = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")(
            iter([request(10_000)] * 4), timeout=20
        )
        refused = oip.ModelStreamInferResponse.FromString(next(stream))
        assert refused.error_message.startswith("RESOURCE_EXHAUSTED: ")
        gate.opened.set()
        rest = [oip.ModelStreamInferResponse.FromString(data).error_message for data in stream]
    # Messages count from their arrival, so where all four arrive together there may be room for two only.
    answered = [message for message in rest if not message]
    assert len(rest) == 3
    assert len(answered) in (2, 3)
    assert all(message.startswith("RESOURCE_EXHAUSTED: ") for message in rest if message)
    assert becomes(0, lambda: metrics.meter.bytes_in_flight)


def test_of_coded_rows_the_decoded_size_counts(workshop, host):
    few, many = 10, 4000
    address = host(workshop.bundle(), max_bytes_in_flight=MIB // 8, max_message_bytes=MIB // 8)
    coding = {
        "codec": "float16",
        "shape": "8",
        "dtype": "float32",
        "head_digest": workshop.bundle().features_digest,
    }

    def coded(n_rows):
        tensor = Tensor("x", np.zeros((n_rows, 16), np.uint8))
        return InferRequest("tiny.tail", (tensor,), parameters=coding).to_bytes()

    assert len(coded(many)) < MIB // 8
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        assert call(coded(few), timeout=20)
        with pytest.raises(grpc.RpcError, match=f"{len(coded(many)) + 4 * many * 11} bytes for this request"):
            call(coded(many), timeout=20)


def test_no_more_streams_are_open_than_messages_fit(bundle, host):
    address = host(bundle, max_bytes_in_flight=2 * MIB, max_message_bytes=MIB)
    release = threading.Event()

    def one():
        yield request(1)
        release.wait(20)

    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")
        streams = [call(one(), timeout=20) for _ in range(2)]
        assert all(next(stream) for stream in streams)
        with pytest.raises(grpc.RpcError) as caught:
            next(call(one(), timeout=20))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert caught.value.details() == (
            "2 streams are open, and no more may be; close one, or ask without a stream"
        )
        release.set()
        assert [list(stream) for stream in streams] == [[], []]
        assert next(call(one(), timeout=20))


SERVER = """
import sys
from offramp import bundle
from offramp.runtime import TailSettings, serve

def tail(x):
    sys.stdin.readline()
    return x[:, :3]

serve(
    bundle.read(sys.argv[1]), tail=tail, drain_s=0, on_ready=lambda server: print(server.port, flush=True),
    settings=TailSettings(max_bytes_in_flight=32 << 20, max_batch=1 << 20),
)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_many_large_requests_to_a_slow_model_do_not_fill_the_memory(bundle_path):
    n_requests, n_rows = 160, 125_000  # 640 MB of messages
    command = [sys.executable, "-c", SERVER, str(bundle_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = f"127.0.0.1:{process.stdout.readline().strip()}"
            before, data = peak_mib(process.pid), request(n_rows)
            with grpc.insecure_channel(address) as channel:
                call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
                asked = [call.future(data, timeout=60) for _ in range(n_requests)]
                n_held = 32 * MIB // cost(n_rows)
                assert becomes(True, lambda: sum(answer.done() for answer in asked) >= n_requests - n_held)
                statuses = {answer.exception().code().name for answer in asked if answer.done()}
                assert statuses == {"RESOURCE_EXHAUSTED"}
                process.stdin.write("\n" * 10)
                process.stdin.flush()
                answered = sum(answer.exception() is None for answer in asked)
                assert 1 <= answered <= n_held
                assert call(request(1), timeout=20)
            taken = peak_mib(process.pid) - before
            assert taken < 256, taken
        finally:
            process.kill()


def peak_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def test_room_for_less_than_one_message_is_a_setting_outside_its_range():
    with pytest.raises(ConfigError) as caught:
        TailSettings(max_bytes_in_flight=1000)
    assert str(caught.value) == (
        "max_bytes_in_flight=1000 holds no request of max_message_bytes=4194304; use at least as many"
    )
