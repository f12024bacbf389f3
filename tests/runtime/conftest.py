import asyncio
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from offramp import bundle as bundles
from offramp import pattern
from offramp.bundle import Bundle, LinearLayer, Part, Preprocessing, ReluLayer, SparseLinearLayer
from offramp.codec import FloatCodec
from offramp.exits import ExitRule
from offramp.runtime import TailServer, models_of

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


def make_samples(n):
    return np.random.default_rng(7).integers(0, 256, (n, 3, 4), dtype=np.uint8)


class Workshop:
    """What the tests of this folder build with."""

    bundle = staticmethod(make_bundle)
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

    def start(bundle, *, tail=None, **settings):
        server = TailServer(models_of(bundle, tail=tail), **settings)
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

    def start(tail="own", *, port=0):
        command = [sys.executable, TAIL_PROCESS, bundle_path, tail, str(port)]
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
