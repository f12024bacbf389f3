"""Time the kernels and the training step against their peers, in one run; `make bench` does it."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # read once, when a peer's own OpenMP starts: before any import below

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks import junctions, machine, markdown, memory, steps

Task = tuple[str, float, Callable[[], Iterator[dict[str, Any]]]]  # name, seconds it may take, rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the rows go")
    parser.add_argument(
        "--markdown", type=Path, help="write a page of tables, such as docs/results/performance.md"
    )
    parser.add_argument("--quick", action="store_true", help="a few rows in half a minute; no memory")
    parser.add_argument(
        "--from-json", action="store_true", help="measure nothing: write the page from --json"
    )
    arguments = parser.parse_args()

    console = Console(stderr=True)
    if arguments.from_json:
        result = json.loads(arguments.json.read_text(encoding="utf-8"))
    else:
        result = _measured(arguments.quick, console)
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        console.print(f"{len(result['rows'])} rows written to {arguments.json}")
    page = markdown.page(result)
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text(page, encoding="utf-8")
        console.print(f"tables written to {arguments.markdown}")
    else:
        print(page)


def _measured(quick: bool, console: Console) -> dict[str, Any]:
    start, about = time.monotonic(), machine.describe()
    tasks = list(_tasks(quick))
    rows: list[dict[str, Any]] = []
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("", total=sum(seconds for _, seconds, _ in tasks))
        for name, seconds, measure in tasks:
            progress.update(bar, description=name)
            rows += measure()
            progress.advance(bar, seconds)
    peaks = [row for row in rows if "over_needed" in row]
    return {
        "rows": [row for row in rows if "over_needed" not in row],
        "memory": peaks,
        "machine": about | {"load_average_end": machine.load_average()},
        "command": "python -m benchmarks --quick" if quick else "make bench",
        "duration_s": round(time.monotonic() - start, 1),
    }


def _tasks(quick: bool) -> Iterator[Task]:
    budget_s = 0.3 if quick else 1.2
    for case in junctions.QUICK if quick else junctions.CASES:
        yield str(case), _seconds(case), lambda case=case: junctions.rows(case, budget_s=budget_s)
    for case in junctions.THREADED_QUICK if quick else junctions.THREADED:
        name = f"{case}, two threads"
        yield name, 5.0, lambda case=case: junctions.thread_rows(case, budget_s=budget_s)
    for case in () if quick else junctions.BFLOAT16:
        yield f"{case}, bfloat16", 3.0, lambda case=case: junctions.bfloat16_rows(case, budget_s=budget_s)
    for network in steps.QUICK if quick else steps.STEPS:
        yield str(network), 3.0, lambda network=network: steps.rows(network, budget_s=budget_s)
    if not quick:
        yield "memory", 20.0, memory.rows


def _seconds(case: junctions.Case) -> float:
    """Roughly how long a case takes, for the time left: building the pattern, then the peers."""
    large = case.n_in * case.n_out / 2**24
    return 0.5 + 3 * large + len(case.works) * (0.3 + large) * (1 + len(case.peers) / 4)


if __name__ == "__main__":
    main()
