"""What clients that mean harm cost `offramp serve`: `python -m benchmarks.hostile_clients`, four minutes.

Linux only. Each attack is one client; beside it another one asks as usual, and its times are shown.
"""

import asyncio
import contextlib
import json
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np

from benchmarks import machine
from benchmarks.ray_tails import METHOD, light_bundle
from offramp import bundle as bundles
from offramp import wire

N_CONNECTIONS = 1500
N_FILES = 4 * N_CONNECTIONS
PATIENCE_S = 150.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
PING = b"\0\0\x08\6\0\0\0\0\0" + bytes(8)
N_ROWS = 2500  # of a request on a stream: 640 kB

SILENT = {
    "that say nothing": b"",
    "that say half of HTTP/2's greeting": PREFACE[:10],
    "that greet and say no more": PREFACE + SETTINGS,
}


class Server:
    """`offramp serve` as a process, and one client that means well."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "offramp", "serve", str(path), "--port", "0", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout is not None
        self.port = json.loads(self.process.stdout.readline())["port"]
        self._infer = grpc.insecure_channel(f"127.0.0.1:{self.port}").unary_unary(METHOD)
        self._request = request(1)

    @property
    def memory_mib(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(status.split("VmRSS:")[1].split()[0]) // 1024

    @property
    def n_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def answers(self) -> str:
        times = []
        for _ in range(200):
            asked = time.perf_counter()
            self._infer(self._request, timeout=30)
            times.append(time.perf_counter() - asked)
        return f"answers in {1e3 * statistics.median(times):.2f} ms, at worst {1e3 * max(times):.0f}"

    def connect(self, first: bytes) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port))
        made.sendall(first)
        return made


def request(n_rows: int) -> bytes:
    rows = np.zeros((n_rows, 64), np.float32)
    return wire.InferRequest("bench.tail", (wire.Tensor("features", rows),)).to_bytes()


def silence(server: Server, what: str, first: bytes) -> None:
    memory, files = server.memory_mib, server.n_files
    made = [server.connect(first) for _ in range(N_CONNECTIONS)]
    began = time.monotonic()
    until(lambda: server.n_files > files + N_CONNECTIONS * 0.9, 10)
    print(
        f"{N_CONNECTIONS} connections {what}: {server.memory_mib - memory:+} MiB, {server.answers()};", end=""
    )
    until(lambda: server.n_files <= files, PATIENCE_S)
    print(f" {server.n_files - files:+} are left after {time.monotonic() - began:.0f} s", flush=True)
    for connection in made:
        connection.close()


def until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)


def pings(server: Server) -> None:
    connection = server.connect(PREFACE + SETTINGS)
    connection.settimeout(5)
    n, said = 0, b""
    with contextlib.suppress(OSError):  # it hangs up, or takes no more
        for _ in range(1000):
            connection.sendall(100 * PING)
            n += 100
    with contextlib.suppress(OSError):
        while b"too_many_pings" not in said and (part := connection.recv(65536)):
            said += part
    verdict = "too_many_pings" if b"too_many_pings" in said else "nothing"
    print(f"{n} pings: the server said {verdict}; {server.answers()}")
    connection.close()


async def unread(server: Server, n_streams: int) -> None:
    memory, data = server.memory_mib, request(N_ROWS)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:

        async def stream() -> bool:
            """Whether the server refused it."""
            call = channel.stream_stream(f"/{wire.SERVICE}/ModelStreamInfer")()
            try:
                while True:
                    await asyncio.wait_for(call.write(data), 3)
            except TimeoutError:  # held up
                return False
            except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
                return True

        n_refused = sum(await asyncio.gather(*(stream() for _ in range(n_streams))))
        said = await asyncio.to_thread(server.answers)
        print(f"{n_streams} streams of {len(data)} bytes a request, no answer taken:", end="")
        print(f" {n_refused} refused, {server.memory_mib - memory:+} MiB, {said}", flush=True)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (N_FILES, N_FILES))
    about = machine.describe()
    print(f"{about['processor']}, {about['cores']} cores; load average {machine.load_average()}")
    with tempfile.TemporaryDirectory() as folder:
        bundles.write(light_bundle(), Path(folder) / "bundle")
        server = Server(Path(folder) / "bundle")
        try:
            print(f"at rest: {server.memory_mib} MiB, {server.answers()}")
            for what, first in SILENT.items():
                silence(server, what, first)
            pings(server)
            for n_streams in (1, 20, 100):
                asyncio.run(unread(server, n_streams))
        finally:
            server.process.terminate()
            print(f"exit status {server.process.wait(30)}; load average {machine.load_average()}")


if __name__ == "__main__":
    main()
