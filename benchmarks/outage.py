"""What a device feels of an outage: `python -m benchmarks.outage [SECONDS]`, two minutes.

A device asks for 20 samples a second over a link of 5 ms each way, with a deadline of 0.5 s. Then the tail is
gone for 15 s, in one of three ways: nobody listens (refused), nothing arrives (silent), or the link has
forgotten the connection and carries new ones at once (forgotten). Counted are the samples that waited more
than half a deadline, and the time from the end of the outage to the first answer, which depends on how long
the device leaves the tail alone (longest wait), and whether a sample waits for the request that asks again,
as where there is no exit to fall back on (waits), or not (aside). Trials run side by side.
"""

import itertools
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

import numpy as np

from benchmarks.far_tail import MODEL, N_CLASSES, far_tail, request
from offramp.errors import PeerError
from offramp.runtime import LinkPolicy, ShapedLink
from offramp.runtime.client import TailClient

OUTAGE_S = 15.0
DELAY_S = 0.005
DEADLINE_S = 0.5
EVERY_S = 0.05
PATIENCE_S = 20.0
N_TRIALS = 4
KINDS = ("refused", "silent", "forgotten")
LONGEST_S = (0.5, 1.0, 2.0, 5.0)


class Setting(NamedTuple):
    kind: str
    longest_wait_s: float
    waits: bool


class Trial(NamedTuple):
    latencies_s: list[float]  # of the samples during the outage, and after it until one was answered
    recovered_s: float


def main() -> None:
    outage_s = float(sys.argv[1]) if len(sys.argv) > 1 else OUTAGE_S
    settings = [Setting(*one) for one in itertools.product(KINDS, LONGEST_S, (True, False))]
    print(f"{outage_s:g} s away, {N_TRIALS} trials; ms")
    print("| gone | longest wait | asks again | samples that waited | p50 | p99 | back after | at most |")
    print("|---|---|---|---|---|---|---|---|")
    with far_tail() as port:
        for kind in KINDS:
            of_kind = [setting for setting in settings if setting.kind == kind]
            with ThreadPoolExecutor(N_TRIALS * len(of_kind)) as devices:
                trials = devices.map(
                    lambda numbered: _trial(*numbered, port, outage_s), enumerate(of_kind * N_TRIALS)
                )
                for setting, those in _grouped(of_kind, list(trials)):
                    print(_row(setting, those), flush=True)


def _grouped(settings: list[Setting], trials: list[Trial]) -> Iterator[tuple[Setting, list[Trial]]]:
    for number, setting in enumerate(settings):
        yield setting, trials[number :: len(settings)]


def _row(setting: Setting, trials: list[Trial]) -> str:
    seconds = [second for trial in trials for second in trial.latencies_s]
    p50, p99 = np.percentile(seconds, (50, 99))
    recovered = [trial.recovered_s for trial in trials]
    n_waited = sum(second > DEADLINE_S / 2 for second in seconds) / len(trials)
    cells = [
        setting.kind,
        f"{setting.longest_wait_s:g} s",
        "waits" if setting.waits else "aside",
        f"{n_waited:.1f}",
        f"{1e3 * p50:.2f}",
        f"{1e3 * p99:.2f}",
        f"{1e3 * np.median(recovered):.0f}",
        f"{1e3 * max(recovered):.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _trial(number: int, setting: Setting, port: int, outage_s: float) -> Trial:
    policy = LinkPolicy(longest_wait_s=setting.longest_wait_s)
    with _way(port) as way:
        client = TailClient(f"127.0.0.1:{way.port}", deadline_s=DEADLINE_S, policy=policy, rng=Random(number))
        assert client.wait_until_ready(MODEL, 10)
        asked = _asked(client, setting.waits)
        while not next(asked)[1]:
            pass
        way.begin(setting.kind)
        ends_s, latencies_s = time.monotonic() + outage_s, list[float]()
        back = False
        for latency_s, answered in asked:
            now = time.monotonic()
            if setting.kind != "forgotten" and not back and now >= ends_s:
                way.end(setting.kind)
                back, ends_s = True, time.monotonic()
            if answered:
                break
            latencies_s.append(latency_s)
            assert now < ends_s + PATIENCE_S, "it does not come back"
        recovered_s = time.monotonic() - (ends_s if back else ends_s - outage_s)
        client.close()
    return Trial(latencies_s, recovered_s)


def _asked(client: TailClient, waits: bool) -> Iterator[tuple[float, bool]]:
    """Seconds of one request after the other, and whether it was answered."""
    for number in itertools.count():
        began = time.monotonic()
        try:
            client.scores(request(number), n_rows=1, n_classes=N_CLASSES, waits_for_probe=waits)
            answered = True
        except PeerError:
            answered = False
        took_s = time.monotonic() - began
        yield took_s, answered
        time.sleep(max(0.0, EVERY_S - took_s))


class _Way:
    """A link whose outage can begin and end."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._link = ShapedLink("127.0.0.1", port, delay_s=DELAY_S)
        self.port = self._link.port

    def begin(self, kind: str) -> None:
        if kind == "refused":
            self._link.close()
        elif kind == "silent":
            self._link.black_hole = True
        else:
            self._link.forget()

    def end(self, kind: str) -> None:
        if kind == "refused":
            self._link = ShapedLink("127.0.0.1", self._target, delay_s=DELAY_S, port=self.port)
        else:
            self._link.black_hole = False

    def close(self) -> None:
        self._link.close()


@contextmanager
def _way(port: int) -> Iterator[_Way]:
    way = _Way(port)
    try:
        yield way
    finally:
        way.close()


if __name__ == "__main__":
    main()
