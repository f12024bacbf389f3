"""The page with what the servers came to."""

import statistics
from typing import Any

Turns = list[dict[str, Any]]

_HEAD = """\
# Our server beside others

`{command}`: the same tail ({tail}), one row of plain features in a request, {clients} clients
on loopback that each wait for an answer before they ask again. Servers take turns of {seconds:g} s; a ratio
is one of two turns of one round, given as the median of {rounds} rounds and, in brackets, the smallest and
the largest. Every server is a single process with one thread of onnxruntime; MLServer without worker
processes (`parallel_workers` 0); Triton is that of nvidia-pytriton, with its Python backend.

Measured on {processor}, {cores} cores, which servers and clients share; load average {load}
before and {load_end} after.

"""


def page(result: dict[str, Any], *, ours: str) -> str:
    turns: Turns = result["turns"]
    clients = sorted({one["clients"] for one in turns})
    machine = result["machine"]
    head = _HEAD.format(
        command=result["command"],
        tail="40 features, a sparse layer of 128, 10 classes",
        clients=_listed(clients),
        seconds=result["seconds"],
        rounds=len({one["round"] for one in turns}),
        processor=machine["processor"],
        cores=machine["cores"],
        load=machine["load_average"],
        load_end=machine["load_average_end"],
    )
    failed = sum(one["failed"] for one in turns)
    return (
        head
        + "## Requests a second, and how long one takes\n\n"
        + _table(turns, result["servers"], clients)
        + f"\nFailed requests: {failed}.\n\n## Ours against each\n\n"
        + _ratios(turns, result["servers"], clients, ours)
    )


def _table(turns: Turns, names: list[str], clients: list[int]) -> str:
    lines = ["| server | clients | requests/s | p50 ms | p99 ms |", "|---|---|---|---|---|"]
    for name in names:
        for n in clients:
            own = [one for one in turns if (one["server"], one["clients"]) == (name, n)]
            per_s, p50, p99 = (
                statistics.median(one[key] for one in own) for key in ("per_s", "p50_s", "p99_s")
            )
            lines.append(f"| {name} | {n} | {per_s:,.0f} | {1e3 * p50:.2f} | {1e3 * p99:.2f} |")
    return "\n".join(lines) + "\n"


def _ratios(turns: Turns, names: list[str], clients: list[int], ours: str) -> str:
    lines = [
        "| against | clients | throughput, times theirs | p50, times theirs | p99, times theirs |",
        "|---|---|---|---|---|",
    ]
    by_place = {(one["round"], one["server"], one["clients"]): one for one in turns}
    rounds = sorted({one["round"] for one in turns})
    for name in names:
        if name == ours:
            continue
        for n in clients:
            pairs = [(by_place[number, ours, n], by_place[number, name, n]) for number in rounds]
            cells = [
                _spread([mine[key] / theirs[key] for mine, theirs in pairs])
                for key in ("per_s", "p50_s", "p99_s")
            ]
            lines.append(f"| {name} | {n} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"


def _listed(numbers: list[int]) -> str:
    words = [str(number) for number in numbers]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
