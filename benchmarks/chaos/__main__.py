"""Kills device and server again and again on the worst of links, and counts: `python -m benchmarks.chaos`.

A device answers samples and promises second answers; its server is behind a link that is slow, lossy, cut or
a black hole in turn, and alters a byte in 5% of the chunks of answers. Device and server are killed with
SIGKILL at random moments, each on its own, and started again. The last device lives and finishes what is
left. Every promise must have come true once, with what the tail says.

Then, in the same run: how long answers take while the link is a black hole, and beside it the same network
all on the device.
"""

import argparse
import contextlib
import json
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from benchmarks.chaos.edge import LAST
from benchmarks.chaos.latency import LOCAL, answering_s
from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.page import page
from benchmarks.chaos.weather import Weather
from offramp.bundle import Bundle, read, write
from offramp.cli.console import progress
from offramp.data import load
from offramp.exits import NEVER, ExitRule
from offramp.runtime import Edge, ShapedLink

UNSURE = 0.3  # share of the samples that are offloaded
START_S, FINISH_S = 30.0, 120.0
EDGE_LIFE_S, SERVER_LIFE_S = (0.1, 1.5), (0.5, 2.5)
LATENCY_UNSURE = 0.1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of device and server together, at least")
    parser.add_argument("--seconds", type=float, default=400, help="begin no new life after so long")
    parser.add_argument("--sync", default="normal", choices=("normal", "full"), help="of the journal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the counts here")
    parser.add_argument("--markdown", type=Path, help="write a page here")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the journal is to lie")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="chaos-") as made:
        folder = Path(made)
        bundle = trained(folder)
        x, _ = load("digits").split("test")
        counts = storm(bundle, x, folder, options)
        counts |= latencies(bundle, x, folder)
    report(counts)
    if options.json:
        options.json.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(page(counts), encoding="utf-8")
    return int(counts["lost"] > 0 or counts["duplicated"] > 0 or counts["wrong"] > 0)


def trained(folder: Path) -> Bundle:
    """A small network for digits."""
    path = folder / "trained"
    command = [sys.executable, "-m", "offramp", "train", "-o", str(path), "--neurons", "64,32,256,10"]
    subprocess.run([*command, "--out-degrees", "8,full,full"], check=True, stdout=subprocess.DEVNULL)
    return read(path)


def unsure_of(bundle: Bundle, x: np.ndarray, share: float) -> Bundle:
    """The bundle with the threshold that so many of these samples do not reach."""
    with Edge(
        replace(bundle, exit_rule=replace(bundle.exit_rule, threshold=0.0)), tail="127.0.0.1:1"
    ) as edge:
        confidences = [answer.confidence for answer in edge.infer_many(x)]
    threshold = float(np.quantile(confidences, share))
    return replace(bundle, exit_rule=replace(bundle.exit_rule, threshold=threshold))


def storm(bundle: Bundle, x: np.ndarray, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Lives and deaths, and what became of the promises."""
    rng, began = Random(options.seed), time.monotonic()
    write(unsure_of(bundle, x, UNSURE), folder / "bundle")
    np.save(folder / "x.npy", x)
    with Edge(replace(bundle, exit_rule=ExitRule(NEVER)), mode="local") as edge:
        ledger = Ledger([answer.label for answer in edge.infer_many(x)])
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(folder / "bundle", Random(options.seed + 1)))
        link = stack.enter_context(ShapedLink("127.0.0.1", server.port, seed=options.seed))
        weather = Weather(link, Random(options.seed + 2))
        device = [
            sys.executable,
            "-m",
            "benchmarks.chaos.edge",
            str(folder / "bundle"),
            str(folder / "x.npy"),
        ]
        device += [f"127.0.0.1:{link.port}", str(folder / "journal"), options.sync]
        n_killed = 0
        with progress() as bar:
            task = bar.add_task("kills", total=options.kills)
            while n_killed + server.n_killed < options.kills and time.monotonic() - began < options.seconds:
                n_killed += life([*device, str(n_killed)], ledger, rng.uniform(*EDGE_LIFE_S))
                bar.update(task, completed=n_killed + server.n_killed)
            print(
                f"\r{n_killed + server.n_killed} kills, {len(ledger.promised)} promises",
                end="",
                file=sys.stderr,
            )
        weather.stop()
        server.live_on()
        life([*device, LAST], ledger, FINISH_S)
        return {
            "kills": n_killed + server.n_killed,
            "edge_kills": n_killed,
            "server_kills": server.n_killed,
            "seconds": time.monotonic() - began,
            "sync": options.sync,
            "weather": weather.seen,
            "connections_cut": link.n_cuts,
            "damaged_replies": link.n_damaged,
            "final": ledger.n_final,
            "offloaded": len(ledger.promised | ledger.outcomes.keys()),
            "promised": len(ledger.promised),
            "refined": ledger.refined,
            "lost": ledger.lost + (ledger.left if ledger.left is not None else 1),
            "duplicated": len(ledger.duplicated),
            "wrong": ledger.wrong,
            "handed_again": ledger.handed_again,
            "answers_repeated": ledger.repeated,
        }


class Server:
    """The tail, in a process that is killed and started again until it may live on. Context manager."""

    def __init__(self, bundle: Path, rng: Random) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.n_killed = 0
        self._command = [sys.executable, "-m", "offramp", "serve", str(bundle), "--port", str(self.port)]
        self._rng = rng
        self._spared = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def live_on(self) -> None:
        """Kill it no more."""
        self._spared.set()

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._spared.set()
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            with subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()  # it serves, or has ended
                spared = self._spared.wait(self._rng.uniform(*SERVER_LIFE_S))
                if spared:
                    self._ended.wait()
                process.kill()
            self.n_killed += not spared


def life(command: list[str], ledger: Ledger, seconds: float) -> bool:
    """One life of the device, killed so long after it is up if it does not end before; whether it was."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        until, said = time.monotonic() + START_S, b""
        while True:
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                process.kill()
                said += process.stdout.read()
                break
            piece = process.stdout.read1(1 << 16)
            if not piece:
                break
            if not said:  # it is up
                until = time.monotonic() + seconds
            said += piece
    for line in said.decode().splitlines():
        ledger.hear(line)
    return process.returncode < 0


def latencies(bundle: Bundle, x: np.ndarray, folder: Path) -> dict[str, Any]:
    """Answers while the link is a black hole."""
    asking = unsure_of(bundle, x, LATENCY_UNSURE)
    with Server(folder / "bundle", Random(0)) as server:
        server.live_on()
        with ShapedLink("127.0.0.1", server.port) as link:
            times = answering_s(asking, link, x, folder)
    p99 = {name: float(np.quantile(seconds, 0.99)) for name, seconds in times.items()}
    return {
        "provisional_p99_s": p99["normal"],
        "local_p99_s": p99[LOCAL],
        "ratio": p99["normal"] / p99[LOCAL],
        "p50_s": {name: float(np.median(seconds)) for name, seconds in times.items()},
        "p99_s": p99,
    }


def report(counts: dict[str, Any]) -> None:
    for name, value in counts.items():
        print(f"{name:>20} {value:.6g}" if isinstance(value, float) else f"{name:>20} {value}")


if __name__ == "__main__":
    sys.exit(main())
