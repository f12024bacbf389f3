"""Our server beside MLServer, KServe and Triton, with the same tail as a model of ONNX.

    python -m benchmarks.serving --peers FOLDER [--markdown docs/results/serving.md]

FOLDER is that of tools/peers/install.py. All servers run side by side on loopback and take turns in being
asked, by clients in one process that each wait for an answer before they ask again; a ratio is one of two
turns of the same round. A request holds one row of plain features as an edge sends it, made before.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.serving import servers
from benchmarks.serving.network import N_CLASSES, N_FEATURES, network
from benchmarks.serving.page import page
from benchmarks.serving.turns import turn
from offramp import bundle as bundles
from offramp import wire
from offramp.bundle import Bundle
from offramp.export import write_repository
from offramp.runtime.offload import Offloads

OURS, NATIVE = "offramp, ONNX tail", "offramp, its own tail"
CLIENTS = (1, 8, 32)
MODEL = "served.tail"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--peers", type=Path, required=True, help="folder of tools/peers/install.py")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="of a turn")
    parser.add_argument("--json", type=Path, help="where the turns go")
    parser.add_argument(
        "--markdown", type=Path, help="write a page of tables, such as docs/results/serving.md"
    )
    arguments = parser.parse_args()
    about = machine.describe()
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder), arguments.peers) as ports:
        turns = _measured(ports, arguments.rounds, arguments.seconds)
    result = {
        "command": f"python -m benchmarks.serving --peers FOLDER --rounds {arguments.rounds}"
        f" --seconds {arguments.seconds:g}",
        "machine": about | {"load_average_end": machine.load_average()},
        "servers": list(ports),
        "seconds": arguments.seconds,
        "turns": turns,
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = page(result, ours=OURS)
    if arguments.markdown:
        arguments.markdown.write_text(text, encoding="utf-8")
    print(text)


@contextmanager
def _running(folder: Path, peers: Path) -> Iterator[dict[str, int]]:
    """The ports of all servers by their names."""
    bundle, path, repository = network(), folder / "served.bundle", folder / "tails"
    bundles.write(bundle, path)
    write_repository([bundle], repository)
    onnx = str(repository / MODEL / "1" / "model.onnx")
    with ExitStack() as stack:
        ports = {
            OURS: stack.enter_context(servers.ours(path, "--tail", onnx, model=MODEL))[0],
            NATIVE: stack.enter_context(servers.ours(path, model=MODEL))[0],
        }
        for name in servers.installed(peers):
            ports[name] = stack.enter_context(servers.peer(name, peers, repository, MODEL))
        yield ports


def _measured(ports: dict[str, int], rounds: int, seconds: float) -> list[dict[str, Any]]:
    requests = _requests(network(), max(CLIENTS))
    for port in ports.values():  # warm
        turn(port, requests, seconds=seconds, n_classes=N_CLASSES)
    turns = []
    for number in range(rounds):
        for n_clients in CLIENTS:
            names = list(ports) if number % 2 == 0 else list(reversed(ports))
            for name in names:
                taken = turn(ports[name], requests[:n_clients], seconds=seconds, n_classes=N_CLASSES)
                turns.append({"round": number, "server": name, "clients": n_clients} | asdict(taken))
    return turns


def _requests(bundle: Bundle, n: int) -> list[bytes]:
    offloads = Offloads(bundle, raw=False, plain=True)
    rows = np.random.default_rng(1).standard_normal((n, 1, N_FEATURES), np.float32)
    return [wire.checked_request(offloads.of(row).request).to_bytes() for row in rows]


if __name__ == "__main__":
    main()
