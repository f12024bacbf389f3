import asyncio
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest

from offramp import bundle as bundles
from offramp import pattern, wire
from offramp.bundle import Bundle, InnerExit, LinearLayer, Part, Preprocessing, ReluLayer, SparseLinearLayer
from offramp.codec import FloatCodec
from offramp.exits import ExitRule
from offramp.runtime import TailServer, TailSettings, models_of

N_FEATURES, N_CLASSES = 8, 3
TAIL_PROCESS = Path(__file__).parent / "tail_process.py"


def sparse(rng, n_in, n_out, out_degree, *, block=(1, 1), bias=True):
    made = pattern.block(n_in, n_out, out_degree, block=block, seed=3)
    layer = SparseLinearLayer(n_in, n_out, out_degree, block, bias, made.digest())
    weight = rng.standard_normal((*made.table.shape, block[0] * block[1]), dtype=np.float32)
    bias = {"bias": rng.standard_normal(n_out, dtype=np.float32)} if bias else {}
    return layer, {"weight": weight, "table": made.table} | bias


def dense(rng, n_in, n_out, *, bias=True):
    weight = {"weight": rng.standard_normal((n_out, n_in), dtype=np.float32)}
    return LinearLayer(n_in, n_out, bias), weight | (
        {"bias": rng.standard_normal(n_out, dtype=np.float32)} if bias else {}
    )


def part(*layers):
    arrays = {f"{i}.{name}": array for i, (_, own) in enumerate(layers) for name, array in own.items()}
    return Part(tuple(layer for layer, _ in layers), arrays)


RELU = (ReluLayer(), {})


def make_bundle(**changes):
    """Bytes (3, 4) -> 16 inputs -> 8 features -> 3 classes, of every kind of layer."""
    rng = np.random.default_rng(5)
    fields = {
        "name": "tiny",
        "preprocessing": Preprocessing((3, 4), "uint8", scale=1 / 255, pad_to=16),
        "classes": ("ant", "bee", "cat"),
        "head": part(sparse(rng, 16, N_FEATURES, 4, block=(2, 2)), RELU),
        "exit": part(dense(rng, N_FEATURES, N_CLASSES)),
        "tail": part(sparse(rng, N_FEATURES, 4, 2), RELU, dense(rng, 4, N_CLASSES, bias=False)),
        "exit_rule": ExitRule(0.75),
        "codec": FloatCodec(),
    }
    return Bundle(**(fields | changes))


def make_bundle_with_inner_exits(*, head_rule=0.75, rule=0.75, tail_rule=0.75, **changes):
    """As `make_bundle`, with an exit inside the head and one inside the tail; thresholds or rules."""
    rng = np.random.default_rng(6)
    rules = [one if isinstance(one, ExitRule) else ExitRule(one) for one in (head_rule, rule, tail_rule)]
    head_exit = InnerExit("head", 2, part(dense(rng, 12, N_CLASSES)), rules[0])
    tail_exit = InnerExit("tail", 2, part(dense(rng, 6, N_CLASSES)), rules[2])
    fields = {
        "head": part(sparse(rng, 16, 12, 6), RELU, sparse(rng, 12, N_FEATURES, 4), RELU),
        "tail": part(sparse(rng, N_FEATURES, 6, 3), RELU, dense(rng, 6, 5), RELU, dense(rng, 5, N_CLASSES)),
        "exit_rule": rules[1],
        "inner_exits": (head_exit, tail_exit),
    }
    return make_bundle(**(fields | changes))


def make_samples(n):
    return np.random.default_rng(7).integers(0, 256, (n, 3, 4), dtype=np.uint8)


class Workshop:
    """What the tests of this folder build with."""

    bundle = staticmethod(make_bundle)
    bundle_with_inner_exits = staticmethod(make_bundle_with_inner_exits)
    samples = staticmethod(make_samples)
    part = staticmethod(part)
    sparse = staticmethod(sparse)
    dense = staticmethod(dense)
    relu = RELU
    preprocessing = Preprocessing


@pytest.fixture(scope="session")
def workshop():
    return Workshop


@pytest.fixture(scope="session")
def bundle():
    return make_bundle()


@pytest.fixture(scope="session")
def bundle_path(bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundles") / "tiny"
    bundles.write(bundle, path)
    return path


@pytest.fixture(scope="session")
def loop():
    """One event loop in a thread, for every server inside this process: gRPC wants no more than one."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


@pytest.fixture
def host(loop):
    """Starts tail servers inside this process; the address of each."""
    servers = []

    def start(bundle, *, tail=None, security=None, metrics=None, fleet=None, observers=(), **settings):
        server = TailServer(
            models_of(bundle, tail=tail),
            TailSettings(**settings),
            security=security,
            metrics=metrics,
            fleet=fleet,
            observers=observers,
        )
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        servers.append(server)
        return f"127.0.0.1:{server.port}"

    yield start
    for server in servers:
        asyncio.run_coroutine_threadsafe(server.stop(drain_s=0.1), loop).result(10)


@dataclass
class TailProcess:
    process: subprocess.Popen
    port: int

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def spawn(bundle_path):
    """Starts tail servers as processes of their own, ended with the test."""
    processes = []

    def start(tail="own", *, port=0, path=bundle_path):
        command = [sys.executable, TAIL_PROCESS, path, tail, str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        line = process.stdout.readline()
        assert line.startswith("ready "), line
        return TailProcess(process, int(line.split()[1]))

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def dead():
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def silent():
    """An address that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def liar():
    """Starts a server that answers ModelInfer with whatever `reply(request)` says; its address.

    Bytes are sent as they are; a status and its details refuse.
    """
    servers = []

    def start(reply):
        def answer(data, context):
            said = reply(wire.InferRequest.from_bytes(data))
            if isinstance(said, tuple):
                context.abort(*said)
            return said if isinstance(said, bytes) else said.to_bytes()

        handlers = {"ModelInfer": grpc.unary_unary_rpc_method_handler(answer)}
        server = grpc.server(ThreadPoolExecutor(2))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(wire.SERVICE, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(0).wait()
