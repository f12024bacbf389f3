"""A device that is killed at any moment.

    python -m benchmarks.chaos.edge BUNDLE SAMPLES TAIL JOURNAL SYNC NAME

Says on standard output what it promised and what it was told, a line each, at once. With the name "last" it
takes no new samples, waits until everything has its outcome, and ends.
"""

import itertools
import os
import sys
import threading
import time

import numpy as np

from offramp.bundle import read
from offramp.runtime.journal import Journal
from offramp.runtime.refining import RefiningEdge, RefiningSettings

LAST = "last"
PAUSE_S = 0.004  # between two samples
SETTLE_S = 60.0


def main() -> None:
    bundle, samples, tail, journal, sync, name = sys.argv[1:]
    x = np.load(samples)
    # A short deadline: what falls into a black hole is to be tried often.
    with RefiningEdge(
        read(bundle, parts=("head", "exit")),
        tail=tail,
        journal=Journal(journal, sync=sync),
        settings=RefiningSettings(deadline_s=1.0),
    ) as edge:
        reader = threading.Thread(target=listen, args=(edge,))
        reader.start()
        say("up")
        if name == LAST:
            settled = edge.settle(SETTLE_S)
            while settled and edge.counts().undelivered:
                time.sleep(0.01)
            say(f"counts {edge.counts().pending} {edge.counts().repeated}")
        else:
            answer_samples(edge, x, name)
    reader.join()


def answer_samples(edge: RefiningEdge, x: np.ndarray, name: str) -> None:
    order = np.random.default_rng(int(name)).permutation(len(x))
    for k in itertools.count():
        row = order[k % len(x)]
        answer = edge.infer(x[row], id=f"{name}-{k}-{row}")
        say(f"{'final' if answer.final else 'promised'} {answer.id}")
        time.sleep(PAUSE_S)


def listen(edge: RefiningEdge) -> None:
    """As an application does: the next outcome is asked for when something was done about this one."""
    last = None
    for one in edge.refinements():
        if last is not None:
            say(f"acknowledged {last}")
        say(f"{'refined' if one.reason is None else 'given-up'} {one.id} {one.label}")
        last = one.id


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")  # in one piece, also from two threads


if __name__ == "__main__":
    main()
