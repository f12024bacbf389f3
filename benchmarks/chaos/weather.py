"""A link that is never the same for long."""

import threading
from dataclasses import replace
from random import Random

from offramp.runtime import LinkSettings, ShapedLink

DAMAGE = 0.05  # share of the chunks of answers in which a byte is altered, always
KINDS = {
    "clear": LinkSettings(damage=DAMAGE),
    "slow": LinkSettings(bits_per_s=128_000, delay_s=0.04, damage=DAMAGE),
    "lossy": LinkSettings(delay_s=0.01, jitter_s=0.02, loss=0.05, damage=DAMAGE),
    "cut": LinkSettings(damage=DAMAGE),
    "black hole": LinkSettings(damage=DAMAGE),
}
LONGEST_S = 1.5


class Weather:
    """Changes a link at random, in a thread of its own, until told to stop; then it is clear again."""

    def __init__(self, link: ShapedLink, rng: Random) -> None:
        self._link = link
        self._rng = rng
        self._stopping = threading.Event()
        self.seen = dict.fromkeys(KINDS, 0)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._link.settings = replace(KINDS["clear"])
        self._link.black_hole = False

    def _run(self) -> None:
        while not self._stopping.is_set():
            kind = self._rng.choice(list(KINDS))
            self.seen[kind] += 1
            self._link.settings = KINDS[kind]
            self._link.black_hole = kind == "black hole"
            if kind == "cut":
                self._link.cut()
            self._stopping.wait(self._rng.uniform(0.2, LONGEST_S))
