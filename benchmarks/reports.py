"""What an edge's reports cost, it and its server: `python -m benchmarks.reports BUNDLE`, some seconds.

The bundle is one of `offramp train`. Inference and what is counted of it take turns.
"""

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from offramp import bundle as bundles
from offramp import wire
from offramp.bundle import Bundle
from offramp.runtime import Answer, Edge, Fleet
from offramp.runtime.fleet import Dashboard, EdgeTally
from offramp.runtime.metering import Meter

N_TURNS, N_CALLS = 200, 100
N_EDGES, N_REPORTS = 1_000, 35


def main() -> None:
    bundle = bundles.read(sys.argv[1])
    for what, value in (*_on_the_edge(bundle), *_on_the_server(bundle)):
        print(f"{what:>60}  {value}")


def _on_the_edge(bundle: Bundle) -> list[tuple[str, str]]:
    tally = EdgeTally("line-4", bundle, "local")
    preprocessing = bundle.preprocessing
    sample = np.zeros(preprocessing.shape, preprocessing.dtype)
    with Edge(bundle, mode="local") as edge:
        answer = edge.infer(sample)
        exited = Answer(**{**vars(answer), "source": "exit", "exit": "exit"})
        times = _in_turn(lambda: edge.infer(sample), lambda: tally.answered([exited]))
    inference_s, counting_s = times
    (report_s,) = _in_turn(lambda: tally.report().to_bytes())
    return [
        ("inference of one sample, whole network, us", f"{1e6 * inference_s:.1f}"),
        ("counting its answer, us", f"{1e6 * counting_s:.2f}"),
        ("a report, us", f"{1e6 * report_s:.1f}"),
        ("a report, bytes", f"{len(tally.report().to_bytes())}"),
    ]


def _on_the_server(bundle: Bundle) -> list[tuple[str, str]]:
    now = [0.0]
    fleet = Fleet(clock=lambda: now[0])
    reports = [EdgeTally(f"line-{i}", bundle, "local", clock=lambda: now[0]) for i in range(N_EDGES)]
    tracemalloc.start()
    for _ in range(N_REPORTS):
        now[0] += 10
        for tally in reports:
            fleet.see(wire.EdgeReport.from_bytes(tally.report().to_bytes()))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    dashboard = Dashboard(fleet, Meter(), clock=lambda: now[0])

    def state() -> int:
        now[0] += 1
        return len(dashboard.routes["/state.json"]("").content)

    data = reports[0].report().to_bytes()
    see_s, state_s = _in_turn(lambda: fleet.see(wire.EdgeReport.from_bytes(data)), state, turns=5, calls=4)
    return [
        ("server: taking a report, us", f"{1e6 * see_s:.1f}"),
        (f"server: the page's state of {N_EDGES:,} edges, ms", f"{1e3 * state_s:.1f}"),
        (f"server: the page's state of {N_EDGES:,} edges, kB", f"{state() / 1e3:.0f}"),
        (f"server: memory for {N_EDGES:,} edges, MB", f"{used / 1e6:.1f}"),
    ]


def _in_turn(*works: Callable[[], object], turns: int = N_TURNS, calls: int = N_CALLS) -> list[float]:
    """Median seconds of a call of each, over turns of some calls."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(turns):
        for work, own in zip(works, seconds, strict=True):
            began = time.perf_counter()
            for _ in range(calls):
                work()
            own.append((time.perf_counter() - began) / calls)
    return [statistics.median(own) for own in seconds]


if __name__ == "__main__":
    main()
