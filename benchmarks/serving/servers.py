"""Servers of the protocol as processes on loopback: ours, and those that tools/peers installs."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc

from offramp import wire

PEERS = ("mlserver", "kserve", "triton")
START_S = 120.0
STOP_S = 10.0
_SCRIPTS = Path(__file__).parents[2] / "tools" / "peers"


def installed(folder: Path) -> list[str]:
    """The peers whose virtual environment is in the folder."""
    return [name for name in PEERS if (folder / name / "bin" / "python").exists()]


@contextmanager
def peer(name: str, folder: Path, repository: Path, model: str) -> Iterator[int]:
    """The port of a peer that serves the models of a repository, once it says that this one is ready."""
    port, *others = _free_ports(3)
    python = str(folder / name / "bin" / "python")
    if name == "mlserver":
        ports = zip(("GRPC", "HTTP", "METRICS"), (port, *others), strict=True)
        environment = {f"MLSERVER_{kind}_PORT": str(number) for kind, number in ports}
        command = [python, "-c", "from mlserver.cli import main; main()", "start", "."]
    else:
        environment = {}
        command = [python, str(_SCRIPTS / f"{name}_server.py"), ".", *map(str, (port, *others))]
    with _process(command, environment, repository) as process:
        _wait_until_ready(process, port, model)
        yield port


@contextmanager
def ours(bundle: Path, *options: str, model: str) -> Iterator[tuple[int, int]]:
    """Port and process id of `offramp serve BUNDLE`."""
    (port,) = _free_ports(1)
    command = [sys.executable, "-m", "offramp", "serve", str(bundle), "--port", str(port), *options]
    with _process(command, {}, Path.cwd()) as process:
        _wait_until_ready(process, port, model)
        yield port, process.pid


class _Process(subprocess.Popen[bytes]):
    """A process with the file that it writes to."""

    said: Path


@contextmanager
def _process(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterator[_Process]:
    with tempfile.TemporaryDirectory() as temporary, (Path(temporary) / "said").open("wb") as said:
        process = _Process(
            command,
            cwd=folder,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,  # some start processes of their own, which must end with them
        )
        process.said = Path(said.name)
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):  # then it ends with its group
                process.wait(STOP_S)
            _end_group(process.pid)
            process.wait()


def _end_group(group: int) -> None:
    with suppress(ProcessLookupError):  # nobody of it is left
        os.killpg(group, signal.SIGKILL)


def _wait_until_ready(process: _Process, port: int, model: str) -> None:
    until = time.monotonic() + START_S
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ready = channel.unary_unary(f"/{wire.SERVICE}/ModelReady")
        query = wire.ModelQuery(model).to_bytes()
        while time.monotonic() < until:
            if process.poll() is not None:
                break
            try:
                if wire.read_ready(ready(query, timeout=1.0, wait_for_ready=True)):
                    return
            except grpc.RpcError:
                time.sleep(0.1)
    said = process.said.read_text(errors="replace").strip().splitlines()[-5:]
    raise RuntimeError(f"{process.args!r} is not ready; it said: {' | '.join(said)}")


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
