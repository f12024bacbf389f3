"""Requests a second of `offramp serve` with and without Ray: `python -m benchmarks.ray_tails`, two minutes.

All servers of a tail run side by side and take turns in being asked, by clients in this process that each
wait for an answer before they ask again. Clients, servers and Ray share the machine's cores. Needs the extra
`ray`.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import grpc
import numpy as np

from benchmarks import machine
from offramp import bundle as bundles
from offramp import wire
from offramp.bundle import Bundle, LinearLayer, Part, Preprocessing, ReluLayer
from offramp.exits import ExitRule

N_CLASSES = 10
ROUNDS = 7
TURN_S = 1.5
WARM_S = 0.3
N_CLIENTS = 32
METHOD = f"/{wire.SERVICE}/ModelInfer"

TAILS = {"light": (64, 32), "heavy": (512, 2048, 2048)}  # widths before the classes
SERVERS = {
    "one process": ["--threads", "1"],
    "one process, 2 threads": ["--threads", "2"],
    "Ray, 1 actor": ["--ray", "--ray-actors", "1"],
    "Ray, 2 actors": ["--ray", "--ray-actors", "2"],
}


def main() -> None:
    about, began = machine.describe(), machine.load_average()
    print(f"{about['processor']}, {about['cores']} cores; {N_CLIENTS} clients, requests of one row")
    for tail, widths in TAILS.items():
        with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
            path = Path(folder) / "bundle"
            bundle = _bundle(widths)
            bundles.write(bundle, path)
            ports = {name: running.enter_context(_served(path, more)) for name, more in SERVERS.items()}
            _tell(tail, bundle, _measured(ports, _request(bundle)))
    print(f"\nload average before {began}, after {machine.load_average()}")


def _tell(tail: str, bundle: Bundle, turns: dict[str, list[tuple[float, float]]]) -> None:
    assert bundle.tail is not None
    print(f"\n{tail} tail, {bundle.tail.n_macs:,} multiply-adds a row; median of {ROUNDS} turns (range)")
    print(f"{'':>24} {'requests/s':>22} {'to one process':>20} {'median answer':>14}")
    base = [rate for rate, _ in turns["one process"]]
    for name, measured in turns.items():
        rates = [rate for rate, _ in measured]
        ratios = [rate / other for rate, other in zip(rates, base, strict=True)]
        latency = statistics.median(seconds for _, seconds in measured)
        print(f"{name:>24} {_spread(rates, '.0f'):>22} {_spread(ratios, '.2f'):>20} {1e3 * latency:11.2f} ms")


def _spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def _measured(ports: dict[str, int], request: bytes) -> dict[str, list[tuple[float, float]]]:
    """Requests a second and their median time, for each turn of each server."""
    turns = defaultdict(list)
    for _ in range(ROUNDS):
        for name, port in ports.items():
            turns[name].append(asyncio.run(_turn(port, request)))
    return turns


async def _turn(port: int, request: bytes) -> tuple[float, float]:
    times: list[float] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        infer = channel.unary_unary(METHOD)
        start = time.perf_counter() + WARM_S
        stop = start + TURN_S

        async def client() -> None:
            while (asked := time.perf_counter()) < stop:
                await infer(request)
                answered = time.perf_counter()
                if start <= asked and answered < stop:
                    times.append(answered - asked)

        await asyncio.gather(*(client() for _ in range(N_CLIENTS)))
    return len(times) / TURN_S, statistics.median(times)


@contextmanager
def _served(path: Path, more: list[str]) -> Iterator[int]:
    """The port of a server of the bundle, until the block ends."""
    command = [sys.executable, "-m", "offramp", "serve", str(path), "--port", "0", "--json", *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.terminate()


def _request(bundle: Bundle) -> bytes:
    row = np.random.default_rng(1).standard_normal((1, bundle.n_sent), dtype=np.float32)
    return wire.InferRequest(f"{bundle.name}.tail", (wire.Tensor("features", row),)).to_bytes()


def light_bundle() -> Bundle:
    """One whose tail costs next to nothing; it is called "bench"."""
    return _bundle(TAILS["light"])


def _bundle(widths: tuple[int, ...]) -> Bundle:
    rng = np.random.default_rng(0)
    head, exit = _part(rng, 16, widths[0]), _part(rng, widths[0], N_CLASSES)
    return Bundle(
        name="bench",
        preprocessing=Preprocessing((16,), "float32"),
        classes=tuple(map(str, range(N_CLASSES))),
        head=head,
        exit=exit,
        tail=_part(rng, *widths, N_CLASSES),
        exit_rule=ExitRule(0.9),
    )


def _part(rng: np.random.Generator, *widths: int) -> Part:
    layers: list[LinearLayer | ReluLayer] = []
    arrays = {}
    for n_in, n_out in pairwise(widths):
        weight = rng.standard_normal((n_out, n_in), dtype=np.float32) / np.float32(n_in) ** 0.5
        arrays |= {f"{len(layers)}.weight": weight, f"{len(layers)}.bias": np.zeros(n_out, np.float32)}
        layers += [LinearLayer(n_in, n_out, True), ReluLayer()]
    return Part(tuple(layers[:-1]), arrays)


if __name__ == "__main__":
    main()
