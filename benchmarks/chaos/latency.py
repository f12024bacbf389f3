"""How long an answer takes while the link is a black hole, beside the same network all on the device."""

import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from offramp.bundle import Bundle
from offramp.runtime import Edge, ShapedLink
from offramp.runtime.journal import Journal
from offramp.runtime.refining import RefiningEdge

N_TURNS, N_IN_A_TURN = 100, 60
LOCAL = "local"


def answering_s(bundle: Bundle, link: ShapedLink, x: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """Seconds of each answer: mode local, and provisional ones with each kind of journal.

    They take turns on the same samples, and all answers count, those that an exit was sure of too.
    """
    tail = f"127.0.0.1:{link.port}"
    with ExitStack() as stack:
        edges: dict[str, Edge | RefiningEdge] = {
            LOCAL: Edge(bundle, mode="local"),
            "memory": RefiningEdge(bundle, tail=tail),
            "normal": RefiningEdge(bundle, tail=tail, journal=Journal(folder / "normal", sync="normal")),
            "full": RefiningEdge(bundle, tail=tail, journal=Journal(folder / "full", sync="full")),
        }
        for edge in edges.values():
            stack.enter_context(edge)
            edge.connect()
        link.black_hole = True
        times = {name: [_turn(edge, x, 0)] for name, edge in edges.items()}
        for turn in range(1, N_TURNS):
            for name, edge in edges.items():
                times[name].append(_turn(edge, x, turn))
        link.black_hole = False
        return {name: np.concatenate(turns[1:]) for name, turns in times.items()}  # the first is warming up


def _turn(edge: Edge | RefiningEdge, x: np.ndarray, turn: int) -> np.ndarray:
    rows = np.arange(turn * N_IN_A_TURN, (turn + 1) * N_IN_A_TURN) % len(x)
    seconds = []
    for row in rows:
        began = time.perf_counter()
        edge.infer(x[row])
        seconds.append(time.perf_counter() - began)
    return np.array(seconds)
