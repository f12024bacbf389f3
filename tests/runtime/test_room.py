"""Requests are refused before they take more memory than there is for them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from offramp import wire
from offramp.codec import FloatCodec

MAX_MESSAGE, MAX_IN_FLIGHT = 256 * 1024, 1024 * 1024


def request(n_rows):
    features = np.zeros((n_rows, 8), np.float32)
    return wire.InferRequest("tiny.tail", (wire.Tensor("x", features),)).to_bytes()


@pytest.fixture
def slow(bundle, host):
    """A tail that answers nobody until it is let: its address, and who lets it."""
    go_on = threading.Event()

    def tail(features):
        assert go_on.wait(30)
        return np.zeros((len(features), 3), np.float32)

    address = host(bundle, tail=tail, max_message_bytes=MAX_MESSAGE, max_bytes_in_flight=MAX_IN_FLIGHT)
    yield address, go_on
    go_on.set()


def status_of(call, data):
    try:
        call(data, timeout=30)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


def test_more_bytes_than_may_be_in_flight_are_refused_at_once_and_taken_later(slow):
    address, go_on = slow
    large = request(4096)  # 128 KiB as a message, once more as rows, and 48 KiB of scores
    with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(16) as callers:
        call = channel.unary_unary(f"/{wire.SERVICE}/ModelInfer")
        waiting = [callers.submit(status_of, call, large) for _ in range(16)]
        until = time.monotonic() + 20
        refused = []
        while len(refused) < 13 and time.monotonic() < until:  # three fill what there is, nobody else waits
            time.sleep(0.01)
            refused = [one for one in waiting if one.done()]
        assert len(refused) == 13
        for one in refused:
            status, details = one.result()
            assert status == "RESOURCE_EXHAUSTED"
            assert details.endswith(
                f" in flight; at most {MAX_IN_FLIGHT} together, ask again later or send fewer rows"
            )
        go_on.set()
        assert [one.result() for one in waiting if one not in refused] == [("OK", "")] * 3
        assert status_of(call, large) == ("OK", "")


def test_a_few_coded_bytes_that_decode_to_many_count_as_many(bundle, host):
    address = host(bundle, max_message_bytes=MAX_MESSAGE, max_bytes_in_flight=MAX_MESSAGE)
    codec = FloatCodec("float16")

    def coded(n_rows):  # 16 bytes a row, 32 as float32
        rows = codec.encode_rows(np.zeros((n_rows, 8), np.float32))
        settings = {"model_name": "tiny.tail", "codec": codec, "head_digest": bundle.head_digest}
        return wire.features_request(rows, n_features=8, **settings).to_bytes()

    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{wire.SERVICE}/ModelInfer")
        assert status_of(call, coded(4000)) == ("OK", "")
        few = coded(8000)
        assert len(few) < MAX_MESSAGE
        assert status_of(call, few)[0] == "RESOURCE_EXHAUSTED"
