"""`docs/results/performance.md` from what `bench.json` holds."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.memory import BYTES_PER_EDGE
from benchmarks.targets import MEMORY, TARGETS, rule_of

Row = dict[str, Any]

TITLES = {"forward": "Forward", "grad_input": "Input gradient", "grad_weight": "Weight and bias gradient"}
NAMES = {
    "torch dense": "Torch dense",
    "torch csr": "Torch CSR",
    "masked dense": "masked dense",
    "scipy csr": "SciPy CSR",
    "sparselab": "SparseLab",
    "condensed": "condensed",
    "small dense": "small dense",
    "ours, one thread": "ours, one thread",
    "ours, float32": "ours, float32",
    "ours, autograd": "ours, by autograd",
}


def page(result: dict[str, Any]) -> str:
    rows = result["rows"]
    single = [row for row in rows if row["threads"] == 1]
    parts = [
        "# Performance",
        _INTRODUCTION,
        "## Machine",
        _machine(result["machine"], result["command"]),
        "## Targets",
        _targets(rows, result["memory"]),
        *_works(single),
    ]
    half = _of(single, "forward_bfloat16")
    if half:
        parts += ["## Forward in bfloat16", _BFLOAT16, _bfloat16_table(half)]
    steps, threaded = _of(single, "step"), [row for row in rows if row["threads"] == 2]
    if steps:
        parts += ["## Training step", _STEP, _step_table(steps)]
    if threaded:
        parts += ["## Two threads", "Ours on two threads against ours on one.", _thread_table(threaded)]
    parts += ["## Memory", _MEMORY, _memory_table(result["memory"]), "## How it was measured", _HOW]
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = """\
Written by `make bench` (`python -m benchmarks`); every number is from one run on the machine below. A ratio
is the peer's time over ours: above 1, ours is faster. The speed-up at which an edge costs what it costs a
dense layer is 1/density. Each cell is a median (smallest to largest). float32, layout conversion and the
Python overhead of one call included, one thread unless said. Ours and a peer run in turn, each right after an
untimed run of its own. What bounds the kernels here: `python -m benchmarks.bounds` and `... ceiling`."""
_BFLOAT16 = """\
Inputs, weights and outputs in bfloat16, sums in float32. The dense layer is Torch's in bfloat16 too, which
has matrix units for it on some processors."""
_STEP = """\
Forward, cross-entropy, backward and Adam, the data in memory: ours in one native call, as `fit` takes it,
the peers by autograd and Torch's fused Adam. The dense twin has the same widths; small dense has as many
parameters as the sparse network has edges and biases; masked dense and SparseLab train the same network as
ours, with the same losses, and so do our own layers by autograd."""
_MEMORY = f"""\
How far training raises the peak of resident memory, each network in a process of its own: ours by the
native step, the dense twin by autograd. Needed: {BYTES_PER_EDGE} bytes a parameter (weight, gradient,
Adam's two moments) and each layer's output once; tables of a pattern are not needed, so they count as
overhead. The target is at most {MEMORY} times that. Building the network, its pattern included, has a peak
of its own."""
_HOW = """\
- Ours and a peer run in turn, the peer right after ours, 5 to 21 times (slow peers other than dense at
  least 3 times); each measurement repeats its work until it takes 2 ms. The ratio is taken pair by pair, so
  that a slow moment of the machine hits both.
- Before a peer is timed, its result must agree with ours: to 1e-4 of the largest value, or the run stops.
- Peers keep their weights in the form they like best, prepared before the clock starts. Torch CSR has
  32-bit indices, stands first in the product and gets a transposed copy for the input gradient; its weight
  gradient is `sampled_addmm`. SciPy likewise; it has no such product for the weight gradient. SparseLab is
  called through `spmm`, its weight gradient through the function that its autograd calls, on the input that
  its forward pass has turned already. Masked dense multiplies by its mask in each forward pass and keeps
  the product for the input gradient, as autograd does. Condensed is `(x[:, columns] * weight).sum(-1)` in
  Torch.
- `OMP_NUM_THREADS=1` and `torch.set_num_threads(1)`; the rows on two threads ask for them in the call."""


def _machine(machine: dict[str, Any], command: str) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    facts = {
        "processor": f"{machine['processor']}, {machine['cores']} cores, {machine['caches']}",
        "instruction sets": f"ours {machine['isas'][-1]}, Torch {machine['cpu_capability']}",
        "memory": machine["memory"],
        "system": f"{machine['system']}, Python {machine['python']}",
        "versions": versions,
        "load average": f"{machine['load_average']} at the start, {machine['load_average_end']} at the end",
        "command": f"`{command}`",
    }
    return _table(("", ""), facts.items())


def _targets(rows: list[Row], memory: list[Row]) -> str:
    lines = []
    for rule in TARGETS:
        judged = [row for row in rows if row["met"] is not None and rule_of(row) is rule]
        if judged:
            least = min(judged, key=lambda row: row["ratio_median"] / row["target"])
            where = f"{least['ratio_median']:.2f} of {least['target']:.2f}: {_what(least)}"
            lines.append((rule.name, rule.goal, _summary(judged), where))
        else:
            lines.append((rule.name, rule.goal, "not measured", ""))
    if memory:
        most = max(memory, key=lambda row: row["over_needed"])
        where = f"{most['over_needed']:.2f} times the need: {_pattern(most)}"
        goal = f"at most {MEMORY} times the need"
        lines.append(("memory of a training step", goal, _summary(memory), where))
    return _table(("work", "target", "result", "least favourable row"), lines)


def _summary(rows: list[Row]) -> str:
    n_met = sum(row["met"] for row in rows)
    if 0 < n_met < len(rows):
        return f"met in {n_met} of {len(rows)} rows"
    return "met" if n_met else "not met"


def _what(row: Row) -> str:
    work = TITLES.get(row["work"], row["work"]).lower()
    return f"{work}, {_junction(row)}, {row['density']:.3g}, {_pattern(row)}, {NAMES[row['peer']]}"


def _works(rows: list[Row]) -> Iterable[str]:
    for work, title in TITLES.items():
        chosen = _of(rows, work)
        if chosen:
            yield f"## {title}"
            yield _work_table(chosen)
            others = _others(chosen)
            if others:
                yield others


def _work_table(rows: list[Row]) -> str:
    """Against dense, with the share of the speed per edge, the target, and whether it was met."""
    lines = [
        (
            _junction(row),
            f"{row['density']:.3g}",
            _pattern(row),
            row["batch"],
            _ms(row["ours_s"]),
            _ms(row["peer_s"]),
            _ratio(row),
            f"{row['ratio_median'] * row['density']:.2f}",
            "" if row["target"] is None else f"{row['target']:.2f}",
            _verdict(row),
        )
        for row in rows
        if row["peer"] == "torch dense"
    ]
    head = ("junction", "density", "pattern", "batch", "ours ms", "dense ms", "over dense", "times density")
    return _table((*head, "target", "result"), lines)


def _others(rows: list[Row]) -> str:
    peers = list(dict.fromkeys(row["peer"] for row in rows if row["peer"] != "torch dense"))
    notes: dict[str, int] = {}
    lines = []
    for group in _grouped(rows):
        if list(group) == ["torch dense"]:
            continue
        first = next(iter(group.values()))
        cells = [_cell(group.get(peer), notes) for peer in peers]
        lines.append((_junction(first), f"{first['density']:.3g}", _pattern(first), first["batch"], *cells))
    if not lines:
        return ""
    table = _table(("junction", "density", "pattern", "batch", *(NAMES[peer] for peer in peers)), lines)
    return "\n\n".join([table, *(f"({number}) {note}." for note, number in notes.items())])


def _cell(row: Row | None, notes: dict[str, int]) -> str:
    if row is None:
        return ""
    if row["note"]:
        return f"({notes.setdefault(row['note'], len(notes) + 1)})"
    return _ratio(row) + (f", {_verdict(row)}" if row["target"] else "")


def _step_table(rows: list[Row]) -> str:
    lines = [
        (
            str(row["neurons"]),
            str(row["out_degrees"]),
            _pattern(row, up_to=True),
            NAMES[row["peer"]] + (f" {row['peer_neurons']}" if row["peer"] == "small dense" else ""),
            _ms(row["ours_s"]),
            _ms(row["peer_s"]),
            row["note"] or _ratio(row),
            "" if row["target"] is None else f"{row['target']:.0f}",
            _verdict(row),
        )
        for row in rows
    ]
    head = (
        "network",
        "out-degrees",
        "pattern",
        "peer",
        "ours ms",
        "peer ms",
        "over peer",
        "target",
        "result",
    )
    return _table(head, lines)


def _bfloat16_table(rows: list[Row]) -> str:
    lines = [
        (
            _junction(row),
            f"{row['density']:.3g}",
            _pattern(row),
            row["batch"],
            NAMES[row["peer"]],
            _ms(row["ours_s"]),
            _ms(row["peer_s"]),
            _ratio(row),
        )
        for row in rows
    ]
    return _table(
        ("junction", "density", "pattern", "batch", "peer", "ours ms", "peer ms", "over peer"), lines
    )


def _thread_table(rows: list[Row]) -> str:
    lines = [
        (
            TITLES[row["work"]].lower(),
            _junction(row),
            f"{row['density']:.3g}",
            _pattern(row),
            _ms(row["ours_s"]),
            _ms(row["peer_s"]),
            _ratio(row),
            f"{row['target']:.1f}",
            _verdict(row),
        )
        for row in rows
    ]
    head = (
        "work",
        "junction",
        "density",
        "pattern",
        "two threads ms",
        "one thread ms",
        "speed-up",
        "target",
        "result",
    )
    return _table(head, lines)


def _memory_table(rows: list[Row]) -> str:
    lines = [
        (
            f"{row['neurons']}, out-degrees {row['out_degrees']}, {_pattern(row)}",
            f"{row['sparse_peak_bytes'] / 2**20:.0f} MiB",
            f"{row['needed_bytes'] / 2**20:.0f} MiB",
            f"{row['over_needed']:.2f}",
            _verdict(row),
            f"{row['building_peak_bytes'] / 2**20:.0f} MiB",
            f"{row['dense_peak_bytes'] / 2**20:.0f} MiB",
            f"{row['ratio']:.2f}",
        )
        for row in rows
    ]
    head = ("network", "peak", "needed", "over needed", "result", "building", "dense twin", "dense over ours")
    return _table(head, lines) if rows else "Not measured in this run."


def _of(rows: list[Row], work: str) -> list[Row]:
    return [row for row in rows if row["work"] == work]


def _grouped(rows: list[Row]) -> Iterable[dict[str, Row]]:
    """The rows of the same work, by peer."""
    groups: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        key = (row["n_in"], row["n_out"], row["density"], *row["block"], row["batch"])
        groups.setdefault(key, {})[row["peer"]] = row
    return groups.values()


def _junction(row: Row) -> str:
    return str(row["neurons"]) if "neurons" in row else f"{row['n_in']} → {row['n_out']}"


def _pattern(row: Row, *, up_to: bool = False) -> str:
    if row["pattern"] == "random":
        return "random"
    return {"auto": "auto: ", "block": "up to " if up_to else ""}[row["pattern"]] + "{}×{}".format(
        *row["block"]
    )


def _ratio(row: Row) -> str:
    if row["ratio_median"] is None:
        return row["note"]
    return f"{row['ratio_median']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"


def _verdict(row: Row) -> str:
    return "" if row["met"] is None else "met" if row["met"] else "not met"


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.3g}"


def _table(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)
