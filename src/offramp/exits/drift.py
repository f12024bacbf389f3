"""Does an exit still see what it was calibrated on? Its confidences, against those of calibration."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from offramp.errors import ConfigError
from offramp.exits.profile import Profile


class DriftWatch:
    """Raises an alarm when an exit's confidences no longer look like those of its profile.

    Each confidence is ranked among those of calibration and all seen since, in bins, ties broken at random:
    without drift and whatever the distribution, these conformal p-values are independent and uniform on
    [0, 1]. Ten bets against that start anew with every sample, and `statistic` sums the capital of all
    starts, each of 1 (Shiryaev-Roberts). Without drift it grows by 1 a sample in the mean, so it takes at
    least `false_alarm_every` samples on average to get there. This is exact for samples that are exchangeable
    with those of calibration, however few those are.

    Drift raises the alarm after tens to hundreds of samples. One too small to raise it within about as many
    samples as calibration had becomes the new normal.

    Args:
        profile: from `profile_of`.
        false_alarm_every: samples from the start or a reset to a false alarm, on average and at least.
        rng: breaks ties; seeded with 0 unless given.

    Raises:
        ConfigError: `false_alarm_every` below 1.

    Source: Vovk, Petej, Nouretdinov, Ahlberg, Carlsson, Gammerman: Retrain or not retrain: conformal test
    martingales for change-point detection, COPA 2021 (arXiv:2102.10439). Their one martingale jumps between
    bets; here every start spreads itself over all bets, which needs no rate of jumping.
    """

    def __init__(
        self, profile: Profile, *, false_alarm_every: int, rng: np.random.Generator | None = None
    ) -> None:
        if false_alarm_every < 1:
            raise ConfigError(f"false_alarm_every={false_alarm_every}; use a number of samples, 1 or more")
        self.false_alarm_every = false_alarm_every
        self.n_seen = 0
        self.n_alarms = 0
        self._cuts = profile.edges[1:-1]
        self._counts = list(profile.counts)
        self._n = profile.n
        self._random = (rng or np.random.default_rng(0)).random
        self._capital = [0.0] * N_BETS

    @property
    def statistic(self) -> float:
        """The bets' capital; at `false_alarm_every` or more there is an alarm."""
        return sum(self._capital)

    @property
    def alarmed(self) -> bool:
        """Whether there was an alarm since the last reset."""
        return self.statistic >= self.false_alarm_every

    @property
    def counts(self) -> tuple[int, ...]:
        """The samples in each bin, of calibration and seen since."""
        return tuple(self._counts)

    def see(self, confidence: float) -> bool:
        """Take in the confidence of the next sample; True if it raises the alarm. NaN is the least sure.

        From an alarm until `reset`, samples are counted and nothing is bet.
        """
        # Plain Python: for twenty bins and ten bets it is faster than arrays.
        place = bisect_right(self._cuts, confidence) if confidence == confidence else 0
        counts = self._counts
        counts[place] += 1
        self._n += 1
        self.n_seen += 1
        if self.alarmed:
            return False
        p = (sum(counts[:place]) + self._random() * counts[place]) / self._n
        factors = bets(p)
        self._capital = [(self._capital[i] + 1 / N_BETS) * factors[i] for i in range(N_BETS)]
        self.n_alarms += self.alarmed
        return self.alarmed

    def reset(self) -> None:
        """Start anew after an alarm.

        Samples seen stay among those that new ones are ranked with. Otherwise calibration samples that were
        odd by chance, once they had raised a false alarm, would raise it again and again. A drift that goes
        on raises the next alarm.
        """
        self._capital = [0.0] * N_BETS


def bets(p: float) -> tuple[float, ...]:
    """What each bet makes of a capital of 1 at the p-value `p`: N_BETS numbers >= 0, each 1 in the mean."""
    tilt = 2 * p - 1  # the first two Legendre polynomials, orthogonal to 1
    spread = 1.5 * tilt * tilt - 0.5
    return (
        1 - 0.9 * tilt,  # less sure
        1 - 0.3 * tilt,
        1 + 0.3 * tilt,  # surer
        1 + 0.9 * tilt,
        1 + 0.9 * spread,  # more at both ends
        1 + 0.3 * spread,
        1 - 0.3 * spread,  # more in the middle
        1 - 0.9 * spread,
        1.9 if p < 0.1 else 0.9,  # some samples among the least sure, such as a new class
        1.9 if p >= 0.9 else 0.9,
    )


N_BETS = len(bets(0.5))
