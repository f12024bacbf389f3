"""The page of a storm."""

from typing import Any

from benchmarks.machine import describe


def page(counts: dict[str, Any]) -> str:
    """Markdown: what was done to device, server and link, what became of promises, how long answers took."""
    weather = ", ".join(f"{name} {n} times" for name, n in counts["weather"].items())
    rows = [
        (
            "kills with SIGKILL",
            f"{counts['kills']}: {counts['edge_kills']} of the device,"
            f" {counts['server_kills']} of the server, in {counts['seconds']:.0f} s",
        ),
        ("weather", weather),
        ("connections cut, replies damaged", f"{counts['connections_cut']}, {counts['damaged_replies']}"),
        ("answers that were final at once", f"{counts['final']:,}"),
        ("offloaded", f"{counts['offloaded']:,}"),
        ("refined", f"{counts['refined']:,}"),
        ("lost", f"{counts['lost']}"),
        ("duplicated", f"{counts['duplicated']}"),
        ("with another class than the tail's", f"{counts['wrong']}"),
        ("handed over again, since a kill came before the acknowledgement", f"{counts['handed_again']}"),
    ]
    machine = describe()
    p50, p99 = counts["p50_s"], counts["p99_s"]
    names = {
        "local": "the whole network on the device",
        "memory": "provisional, side buffer in memory",
        "normal": 'provisional, journal with sync="normal"',
        "full": 'provisional, journal with sync="full"',
    }
    times = [
        f"| {text} | {1e3 * p50[name]:.3f} | {1e3 * p99[name]:.3f} | {p99[name] / p99['local']:.2f} |"
        for name, text in names.items()
    ]
    return "\n".join(
        [
            "# Promises in a storm",
            "",
            f"`make chaos` on {machine['processor']}, {machine['cores']} cores; digits, a journal with"
            f' sync="{counts["sync"]}".',
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
            "Answers while the link is a black hole, every tenth of them provisional; they take turns on the",
            "same samples:",
            "",
            "| answers | p50, ms | p99, ms | p99 beside local |",
            "|---|---|---|---|",
            *times,
            "",
        ]
    )
