"""What the edge's journal costs for an offload: `python -m benchmarks.journal [FOLDER]`, half a minute.

Both settings of `sync` take turns in FOLDER (default: the current one), which decides the result: waiting for
the disk is nearly all of "full". Beside them stands one write and fsync of 4 KiB to a plain file.
"""

import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from offramp.runtime.journal import SYNCS, Entry, Journal, Verdict

N_TURNS = 1_500
BATCH = 64
REQUEST = os.urandom(160)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    with tempfile.TemporaryDirectory(dir=folder, prefix="journal-") as made:
        times = _measured(Path(made))
    print(f"{N_TURNS} turns, requests of {len(REQUEST)} bytes; ms a call")
    print(f"{'':>32} {'median':>8} {'p90':>8} {'p99':>8} {'largest':>8}")
    for name, seconds in times.items():
        marks = [*np.percentile(seconds, (50, 90, 99)), max(seconds)]
        print(f"{name:>32}", *(f"{1e3 * mark:8.3f}" for mark in marks))


def _measured(folder: Path) -> dict[str, list[float]]:
    """Seconds of each call, by what was called."""
    times: dict[str, list[float]] = defaultdict(list)
    journals = {sync: Journal(folder / sync, sync=sync) for sync in SYNCS}
    with (folder / "plain").open("wb", buffering=0) as plain:
        for turn in range(N_TURNS):
            times["write and fsync, 4 KiB"].append(_seconds(lambda: _synced(plain.fileno())))
            for sync, journal in journals.items():
                for what, call in _calls(journal, turn):
                    times[f"{what}, {sync}"].append(_seconds(call))
    for journal in journals.values():
        journal.close()
    return times


def _calls(journal: Journal, turn: int) -> list[tuple[str, Callable[[], object]]]:
    entries = [
        Entry(f"{turn}-{i}", time.time(), REQUEST, Verdict(1, 0.5), "a" * 64) for i in range(BATCH + 1)
    ]
    ids = [entry.id for entry in entries]
    return [
        ("append", lambda: journal.append(entries[0])),
        (f"append {BATCH} at once", lambda: journal.append(*entries[1:])),
        ("refine", lambda: journal.refine(ids[0], Verdict(2, 0.9))),
        (f"refine {BATCH} at once", lambda: journal.refine_many(dict.fromkeys(ids[1:], Verdict(2, 0.9)))),
        ("delivered", lambda: journal.delivered(ids[0])),
        (f"delivered {BATCH} at once", lambda: journal.delivered(*ids[1:])),
    ]


def _synced(file: int) -> None:
    os.write(file, bytes(4096))
    os.fsync(file)


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
