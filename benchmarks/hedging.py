"""What a second request saves on a lossy link: `python -m benchmarks.hedging [REQUESTS]`, three minutes.

A device asks for one sample after the other over a link of 10 ms each way that loses segments. A lost one is
repeated by TCP after 200 ms, and all that follows on its connection waits behind it: so a request that has
waited a little longer than usual is sent over a second connection too. All settings run side by side, each
over a link of its own; the tail's network takes no time, so that the times are the link's.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from benchmarks.far_tail import MODEL, N_CLASSES, far_tail, request
from offramp.runtime import LinkPolicy, ShapedLink, TailCounts
from offramp.runtime.client import TailClient

N_REQUESTS = 4000
DELAY_S = 0.01
LOSSES = (0.0, 0.02, 0.05)
HEDGES_S = (None, 0.06, 0.03)
DEADLINE_S = 5.0


class Setting(NamedTuple):
    loss: float
    hedge_after_s: float | None


def main() -> None:
    n_requests = int(sys.argv[1]) if len(sys.argv) > 1 else N_REQUESTS
    settings = [Setting(loss, hedge_after_s) for loss in LOSSES for hedge_after_s in HEDGES_S]
    with far_tail() as port, ThreadPoolExecutor(len(settings)) as devices:
        measured = list(devices.map(lambda setting: _measured(setting, port, n_requests), settings))
    print(f"{n_requests} requests each, {1e3 * DELAY_S:g} ms each way; ms")
    print("| loss | hedged after | p50 | p99 | p99.9 | largest | sent twice |")
    print("|---|---|---|---|---|---|---|")
    for setting, (seconds, counts) in zip(settings, measured, strict=True):
        after = "never" if setting.hedge_after_s is None else f"{1e3 * setting.hedge_after_s:g} ms"
        marks = [*np.percentile(seconds, (50, 99, 99.9)), max(seconds)]
        times = " | ".join(f"{1e3 * mark:.1f}" for mark in marks)
        print(f"| {setting.loss:.0%} | {after} | {times} | {counts.hedged / n_requests:.1%} |")


def _measured(setting: Setting, port: int, n_requests: int) -> tuple[list[float], TailCounts]:
    """Seconds of each request."""
    seconds = []
    policy = LinkPolicy(hedge_after_s=setting.hedge_after_s)
    with ShapedLink("127.0.0.1", port, delay_s=DELAY_S, loss=setting.loss) as link:
        client = TailClient(f"127.0.0.1:{link.port}", deadline_s=DEADLINE_S, policy=policy)
        assert client.wait_until_ready(MODEL, 10)
        for number in range(n_requests):
            asked = request(number)
            began = time.perf_counter()
            client.scores(asked, n_rows=1, n_classes=N_CLASSES)
            seconds.append(time.perf_counter() - began)
        counts = client.counts
        client.close()
    return seconds, counts


if __name__ == "__main__":
    main()
