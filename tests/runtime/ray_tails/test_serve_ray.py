"""`offramp serve --ray` as processes: Ray's own, all of them."""

import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import grpc
import numpy as np
import pytest

from offramp.runtime import models_of
from offramp.wire import SERVICE, InferRequest, InferResponse, Tensor

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or not Path("/proc/net/tcp").exists(),
    reason="needs Linux and ray, which is in no extra of the tests: pip install 'offramp[ray]'",
)

LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
LISTENS = "0A"


class Served:
    """`offramp serve --ray` in a session of its own, which all of its processes are in."""

    def __init__(self, path, folder):
        command = [sys.executable, "-m", "offramp", "serve", path, "--ray", "--port", "0", "--json"]
        with (folder / "said").open("w") as said:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
                env=os.environ | {"TMPDIR": str(folder)},
            )
        self.address = f"127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"

    def processes(self):
        """Name and process of each that lives."""
        listed = subprocess.run(
            ["ps", "-s", str(self.process.pid), "-o", "pid=,args="],
            capture_output=True,
            text=True,
            check=False,
        )
        return [(int(line.split(None, 1)[0]), line.split(None, 1)[1]) for line in listed.stdout.splitlines()]

    def actors(self):
        return [pid for pid, name in self.processes() if name.startswith("ray::TailActor")]

    def ends(self):
        self.process.stdout.close()
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.wait(60) == 0


@pytest.fixture(scope="module")
def served(bundle_path):
    with tempfile.TemporaryDirectory() as folder:  # Ray's sockets want a short path
        server = Served(bundle_path, Path(folder))
        yield server
        server.ends()


def asked(infer, x):
    request = InferRequest("tiny.tail", (Tensor("x", x),)).to_bytes()
    return InferResponse.from_bytes(infer(request, timeout=60)).outputs[0].array


def wait_until(condition, what, timeout_s=60):
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def listening(pids):
    """The addresses, as Linux writes them, on which these processes take connections."""
    sockets = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(os.readlink(handle))
            except OSError:  # closed meanwhile
                continue
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENS and f"socket:[{inode}]" in sockets:
                found.add(local.split(":")[0])
    return found


def test_nothing_of_a_ray_of_our_own_is_reached_from_elsewhere(served):
    pids = [pid for pid, _ in served.processes()]
    assert len(pids) > 4
    assert listening(pids) <= LOOPBACK
    assert listening(pids)


def test_actors_that_are_killed_under_load_cost_no_request(served, bundle):
    x = np.random.default_rng(3).standard_normal((3, 8), dtype=np.float32)
    expected = models_of(bundle)[0].compute(x)
    done, n_kills = Event(), 4

    def client(_):
        n_answers = 0
        while not done.is_set():
            np.testing.assert_allclose(asked(infer, x), expected, rtol=1e-5)
            n_answers += 1
        return n_answers

    with grpc.insecure_channel(served.address) as channel, ThreadPoolExecutor(8) as clients:
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        answers = [clients.submit(client, i) for i in range(8)]
        try:
            for _ in range(n_kills):
                wait_until(lambda: len(served.actors()) == 2, "Ray did not replace an actor")
                os.kill(random.choice(served.actors()), signal.SIGKILL)
            wait_until(lambda: len(served.actors()) == 2, "Ray did not replace the last actor")
        finally:
            done.set()
        assert sum(answer.result(60) for answer in answers) > 0


def test_sigterm_leaves_neither_a_process_nor_a_folder(bundle_path):
    with tempfile.TemporaryDirectory() as folder:
        server = Served(bundle_path, Path(folder))
        assert len(server.processes()) > 4
        server.ends()
        wait_until(lambda: not server.processes(), f"left: {server.processes()}", timeout_s=20)
        assert [left.name for left in Path(folder).iterdir()] == ["said"]
        assert (Path(folder) / "said").read_text() == ""
