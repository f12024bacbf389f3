"""ModelStreamInfer: many requests over one call, answered as they are done."""

import asyncio
import contextlib
import queue
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest

from offramp.runtime import ServerSecurity, TailServer, models_of
from offramp.runtime.stream import MAX_IN_FLIGHT
from offramp.wire import SERVICE, InferRequest, InferResponse, Tensor
from offramp.wire import open_inference_pb2 as oip

TIMEOUT_S = 10


class Stream:
    """A stream of requests to a server; answers are taken one by one."""

    def __init__(self, address):
        self._channel = grpc.insecure_channel(address)
        self._requests = queue.SimpleQueue()
        call = self._channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")
        self._answers = call(iter(self._requests.get, None), timeout=TIMEOUT_S)

    def ask(self, x, id="", model="tiny.tail"):
        self.send(InferRequest(model, (Tensor("x", x),), id=id).to_bytes())

    def send(self, data):
        self._requests.put(data)

    def done(self):
        self._requests.put(None)

    def take(self):
        """Id, scores and error of the next answer."""
        answer = oip.ModelStreamInferResponse.FromString(next(self._answers))
        if answer.error_message:
            return answer.infer_response.id, None, answer.error_message
        response = InferResponse.from_bytes(answer.infer_response.SerializeToString())
        return response.id, response.outputs[0].array, ""

    def close(self):
        self._requests.put(None)
        self._channel.close()


@pytest.fixture
def stream():
    made = []

    def start(address):
        made.append(Stream(address))
        return made[-1]

    yield start
    for one in made:
        one.close()


def ones(n=1, value=1.0):
    return np.full((n, 8), value, np.float32)


def first_three(x):
    return x[:, :3]


def test_every_request_of_a_stream_gets_its_own_answer(bundle, host, stream):
    asked = stream(host(bundle, tail=first_three))
    for i in range(100):
        asked.ask(ones(1 + i % 3, i), id=str(i))
    answers = [asked.take() for _ in range(100)]
    assert {id for id, _, _ in answers} == {str(i) for i in range(100)}
    for id, scores, _ in answers:
        np.testing.assert_array_equal(scores, ones(1 + int(id) % 3, int(id))[:, :3])
    asked.done()
    with pytest.raises(StopIteration):
        asked.take()


def test_an_answer_that_is_done_does_not_wait_for_an_earlier_one(bundle, workshop, loop, stream):
    release = threading.Event()

    def slow(x):
        assert release.wait(TIMEOUT_S)
        return x[:, :3]

    other = workshop.bundle(name="other")
    server = TailServer([models_of(bundle, tail=slow)[0], models_of(other)[1]])
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(TIMEOUT_S)
    try:
        asked = stream(f"127.0.0.1:{server.port}")
        asked.ask(ones(), id="slow")
        asked.ask(ones(), id="refused", model="other")  # known without the batcher, which is busy
        assert asked.take()[0] == "refused"
        release.set()
        assert asked.take()[0] == "slow"
    finally:
        release.set()
        asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(TIMEOUT_S)


def test_an_error_is_an_answer_and_the_stream_goes_on(bundle, host, stream):
    asked = stream(host(bundle, tail=first_three))
    asked.ask(ones(), id="1", model="huge")
    assert asked.take() == ("1", None, "NOT_FOUND: no model 'huge' here; there is 'tiny.tail', 'tiny'")
    asked.ask(np.ones((1, 7), np.float32), id="2")
    assert asked.take()[2].startswith("INVALID_ARGUMENT: tensor 'x' has shape (1, 7)")
    asked.send(b"\xff\xff")
    assert asked.take() == ("", None, "INVALID_ARGUMENT: 2 bytes that are no ModelInferRequest")
    asked.send(b"")
    assert asked.take()[2].startswith("NOT_FOUND: no model ''")
    asked.ask(ones(), id="3")
    assert asked.take()[::2] == ("3", "")


def test_no_more_than_a_few_requests_of_a_stream_are_computed_at_once(bundle, host, stream):
    release, sizes = threading.Event(), []

    def tail(x):
        assert release.wait(TIMEOUT_S)
        sizes.append(len(x))
        return x[:, :3]

    asked = stream(host(bundle, tail=tail, max_wait_s=0.2))
    for i in range(4 * MAX_IN_FLIGHT):
        asked.ask(ones(), id=str(i))
    asked.ask(ones(), id="late", model="huge")  # would be answered at once, if it were read
    threading.Timer(0.3, release.set).start()
    assert asked.take()[2] == ""
    ids = [asked.take()[0] for _ in range(4 * MAX_IN_FLIGHT)]
    assert "late" in ids
    assert max(sizes) <= MAX_IN_FLIGHT


def test_a_server_that_stops_answers_what_it_has_read_and_ends_the_stream(bundle, loop, stream):
    busy, release = threading.Event(), threading.Event()

    def tail(x):
        busy.set()
        assert release.wait(TIMEOUT_S)
        return x[:, :3]

    server = TailServer(models_of(bundle, tail=tail))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(TIMEOUT_S)
    asked = stream(f"127.0.0.1:{server.port}")
    asked.ask(ones(), id="1")
    assert busy.wait(TIMEOUT_S)
    stopping = asyncio.run_coroutine_threadsafe(server.stop(drain_s=5), loop)
    release.set()
    assert asked.take()[::2] == ("1", "")
    with pytest.raises(grpc.RpcError) as caught:
        asked.take()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert caught.value.details() == "the server stops; ask another one, or later"
    stopping.result(4)


def test_a_stream_needs_a_token_where_calls_do(bundle, host, stream, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("a-token-of-this-line-1")
    tokens.chmod(0o600)
    asked = stream(host(bundle, security=ServerSecurity(token_file=tokens)))
    asked.ask(ones())
    with pytest.raises(grpc.RpcError) as caught:
        asked.take()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_client_that_goes_away_in_the_middle_harms_nobody(bundle, host, stream, caplog):
    busy, release = threading.Event(), threading.Event()

    def tail(x):
        busy.set()
        assert release.wait(TIMEOUT_S)
        return x[:, :3]

    address = host(bundle, tail=tail)
    gone = stream(address)
    gone.ask(ones())
    assert busy.wait(TIMEOUT_S)
    gone.close()
    release.set()
    staying = stream(address)
    staying.ask(ones(), id="1")
    assert staying.take()[::2] == ("1", "")
    assert not caplog.records


def test_an_unmodified_tritonclient_streams(bundle, host):
    # In a process of its own: importing tritonclient warns, which is not our fault.
    code = f"""
import queue, numpy as np, tritonclient.grpc as triton
answers = queue.Queue()
client = triton.InferenceServerClient({host(bundle, tail=first_three)!r})
client.start_stream(lambda result, error: answers.put((result, error)))
for i in range(50):
    tensor = triton.InferInput("features", [1, 7 if i == 20 else 8], "FP32")
    tensor.set_data_from_numpy(np.full(tensor.shape(), i, np.float32))
    client.async_stream_infer("tiny.tail", [tensor], request_id=str(i))
n_right = 0
for _ in range(50):
    result, error = answers.get(timeout=10)
    if error is not None:
        print(error.message())
    else:
        n_right += (result.as_numpy("scores") == int(result.get_response().id)).all()
client.stop_stream()
client.close()
print(n_right)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    said = "INVALID_ARGUMENT: tensor 'features' has shape (1, 7); this model reads [-1, 8]\n49\n"
    assert (run.returncode, run.stdout) == (0, said), run.stderr


def test_what_nobody_answers_does_not_pile_up_in_the_server(spawn, loop):
    n_streams, size = 16, 64 * 1024
    data = InferRequest("tiny.tail", (Tensor("x", ones(size // 32)),)).to_bytes()

    async def sent(channel):
        call, n = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")(), 0
        with contextlib.suppress(TimeoutError):
            while True:
                await asyncio.wait_for(call.write(data), 1)  # longer, and it is held up
                n += 1
        return n

    async def all_sent(address):
        async with grpc.aio.insecure_channel(address) as channel:
            return sum(await asyncio.gather(*(sent(channel) for _ in range(n_streams))))

    n_sent = asyncio.run_coroutine_threadsafe(all_sent(spawn("hangs").address), loop).result(60)
    # Those that the server works on, and some that it has not read or that the client's side holds.
    assert n_sent <= n_streams * (MAX_IN_FLIGHT + 10)
