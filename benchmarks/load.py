"""A server under load for minutes: `python -m benchmarks.load --minutes 10 --edges 64`.

Edges in mode "split", each with a connection of its own, send one request after the other from a few
processes. Every answer is compared with what the tail says to that sample. The server's resident memory is
read every second; whether it is flat says a line through the second half, with the interval of its slope.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.machine import describe
from offramp.bundle import read
from offramp.data import load
from offramp.exits import NEVER, ExitRule
from offramp.runtime import Edge

N_PROCESSES = 2
MIB = 1 << 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--edges", type=int, default=64)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--markdown", type=Path, help="write a page here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        path = Path(made, "digits")
        train = [sys.executable, "-m", "offramp", "train", "-o", str(path), "--neurons", "64,32,256,10"]
        subprocess.run([*train, "--out-degrees", "8,full,full"], check=True, stdout=subprocess.DEVNULL)
        figures = loaded(path, options.edges, 60 * options.minutes)
    for name, value in figures.items():
        print(f"{name:>24} {value:.6g}" if isinstance(value, float) else f"{name:>24} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(page(figures), encoding="utf-8")
    return int(figures["failed"] > 0 or figures["wrong"] > 0)


def loaded(bundle: Path, n_edges: int, seconds: float) -> dict[str, Any]:
    """A server, its edges, and what was seen of both."""
    command = [sys.executable, "-m", "offramp", "serve", str(bundle), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            port = json.loads(server.stdout.readline())["port"]
            shares = [n_edges // N_PROCESSES + (i < n_edges % N_PROCESSES) for i in range(N_PROCESSES)]
            with multiprocessing.get_context("spawn").Pool(N_PROCESSES) as pool:
                work = [(str(bundle), port, share, seconds) for share in shares if share]
                under_way = pool.starmap_async(ask, work)
                memory = []
                while not under_way.ready():
                    memory.append((time.monotonic(), resident_bytes(server.pid)))
                    under_way.wait(1.0)
                told = under_way.get()
        finally:
            server.terminate()
    counts = sum((own for own, _ in told), Counter[str]())
    p50, p99 = np.quantile(np.concatenate([latencies for _, latencies in told]), (0.5, 0.99)).tolist()
    times, sizes = np.array(memory).T
    half = times >= (times[0] + times[-1]) / 2
    line = stats.linregress(times[half], sizes[half])
    interval = stats.t.ppf(0.975, max(1, half.sum() - 2)) * line.stderr
    first, last = times < times[0] + seconds / 10, times > times[-1] - seconds / 10
    return {
        "edges": n_edges,
        "seconds": seconds,
        "answered": counts["answered"],
        "requests_per_s": counts["answered"] / seconds,
        "failed": counts["failed"],
        "wrong": counts["wrong"],
        "p50_s": p50,
        "p99_s": p99,
        "memory_first_tenth_mib": float(sizes[first].mean() / MIB),
        "memory_last_tenth_mib": float(sizes[last].mean() / MIB),
        "memory_largest_mib": float(sizes.max() / MIB),
        "slope_mib_per_hour": float(line.slope * 3600 / MIB),
        "slope_interval_mib_per_hour": float(interval * 3600 / MIB),
    }


def ask(path: str, port: int, n_edges: int, seconds: float) -> tuple[Counter[str], np.ndarray]:
    """Some edges, each in a thread, for so long: what their answers were, and how long each took."""
    bundle = replace(read(path), exit_rule=ExitRule(NEVER))
    x, _ = load("digits").split("test")
    with Edge(bundle, mode="local") as local:
        labels = [answer.label for answer in local.infer_many(x)]
    counts, latencies, lock = Counter[str](), [], threading.Lock()
    until = time.monotonic() + seconds

    def one(number: int) -> None:
        own, taken = Counter[str](), []
        with Edge(bundle, tail=f"127.0.0.1:{port}", mode="split", deadline_s=30) as edge:
            edge.connect(30)
            row = number
            while time.monotonic() < until:
                row = (row + 7) % len(x)
                answer = edge.infer(x[row])
                own["answered" if answer.source == "tail" else "failed"] += 1
                own["wrong"] += answer.source == "tail" and answer.label != labels[row]
                taken.append(answer.latency_s)
        with lock:
            counts.update(own)
            latencies.extend(taken)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(n_edges)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts, np.array(latencies, np.float32)


def resident_bytes(pid: int) -> int:
    """What a process has in memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return 1024 * int(line.split()[1])
    raise ValueError(f"process {pid} tells nothing of its memory")


def page(figures: dict[str, Any]) -> str:
    machine = describe()
    slope, interval = figures["slope_mib_per_hour"], figures["slope_interval_mib_per_hour"]
    return f"""# A server under load

`python -m benchmarks.load --minutes {figures["seconds"] / 60:g} --edges {figures["edges"]}` on
{machine["processor"]}, {machine["cores"]} cores for server and edges together.

| | |
|---|---|
| edges at once, each with one request at a time | {figures["edges"]} |
| answered | {figures["answered"]:,} |
| requests a second | {figures["requests_per_s"]:,.0f} |
| failed, answered wrongly | {figures["failed"]}, {figures["wrong"]} |
| p50, p99 at the edges | {1e3 * figures["p50_s"]:.1f} ms, {1e3 * figures["p99_s"]:.1f} ms |
| memory of the server in the first tenth of the time | {figures["memory_first_tenth_mib"]:.1f} MiB |
| in the last tenth | {figures["memory_last_tenth_mib"]:.1f} MiB |
| largest | {figures["memory_largest_mib"]:.1f} MiB |
| slope in the second half | {slope:+.2f} ± {interval:.2f} MiB an hour |
"""


if __name__ == "__main__":
    sys.exit(main())
