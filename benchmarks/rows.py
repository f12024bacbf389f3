"""A row of `bench.json`: what was measured, against whom, and the target where the project has set one."""

from typing import Any

from benchmarks.targets import target
from benchmarks.timing import Ratio

Row = dict[str, Any]


def row(
    work: str,
    n_in: int,
    n_out: int,
    *,
    density: float,
    batch: int,
    threads: int,
    block: tuple[int, int],
    pattern: str,
    peer: str,
    ratio: Ratio | str,
    **more: Any,
) -> Row:
    """One row; `ratio` is a string where there is none, and says why."""
    measured = ratio if isinstance(ratio, Ratio) else None
    result: Row = {
        "work": work,
        "n_in": n_in,
        "n_out": n_out,
        "density": density,
        "batch": batch,
        "threads": threads,
        "pattern": pattern,
        "block": list(block),
        "peer": peer,
        "ratio_median": measured and measured.median,
        "ratio_min": measured and measured.min,
        "ratio_max": measured and measured.max,
        "ours_s": measured and measured.ours_s,
        "peer_s": measured and measured.peer_s,
        "n_pairs": measured.n_pairs if measured else 0,
        "note": ratio if isinstance(ratio, str) else None,
        **more,
    }
    goal = target(result)
    met = None if goal is None or measured is None else measured.median >= goal
    return result | {"target": goal, "met": met}
