"""How often each way broke its promise, and how many samples exited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv  # type: ignore[import-untyped]

from offramp.exits.guarantee import Outcomes
from offramp.exits.guarantee.tally import tally
from offramp.experiments.certificates.network import Judged
from offramp.experiments.certificates.trials import Thresholds
from offramp.experiments.certificates.ways import PROMISES, Promise, Way
from offramp.experiments.pages import json_text
from offramp.experiments.statistics import CONFIDENCE

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """Of a share, both ends in 0..1."""

    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """All trials of a way.

    Args:
        delta: the probability of a violation that is allowed.
        violations: trials whose risk in the population is larger than eps.
        never: trials in which no threshold could be certified.
        exit_rate_mean, risk_mean: in the population, in the mean of the trials.
        risk_margin: half the 95% interval of risk_mean, by the normal distribution.
    """

    way: Way
    delta: float
    trials: int
    violations: int
    never: int
    exit_rate_mean: float
    risk_mean: float
    risk_margin: float

    @property
    def share(self) -> float:
        """Of trials that violate."""
        return self.violations / self.trials

    @property
    def interval(self) -> Interval:
        """The 95% interval of the share of violations (Clopper and Pearson)."""
        return clopper_pearson(self.violations, self.trials)

    @property
    def kept(self) -> bool:
        """Whether the trials are in line with the promise: they do not show, at 95%, that it is broken."""
        promise: Promise = self.way.promise
        if promise == "probability":
            return self.interval.low <= self.delta
        return promise == "none" or self.risk_mean - self.risk_margin <= self.way.eps

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        low, high = self.interval
        return {
            "measure": self.way.measure,
            "method": self.way.method,
            "bound": self.way.bound,
            "eps": self.way.eps,
            "delta": self.delta,
            "trials": self.trials,
            "violations": self.violations,
            "violation_share": self.share,
            "violation_low": low,
            "violation_high": high,
            "never": self.never,
            "exit_rate_mean": self.exit_rate_mean,
            "risk_mean": self.risk_mean,
        }


@dataclass(frozen=True)
class Beside:
    """A peer's way and ours on the same samples.

    Args:
        alike: trials in which both take the same threshold.
        fewer, more: trials in which the peer lets fewer, or more, samples exit than ours.
        gave_up: trials in which the peer takes none and ours takes one.
    """

    peer: Row
    ours: Row
    alike: int
    fewer: int
    more: int
    gave_up: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        counts = {name: getattr(self, name) for name in ("alike", "fewer", "more", "gave_up")}
        return {"peer": self.peer.to_dict(), "ours": self.ours.to_dict()} | counts


@dataclass(frozen=True, kw_only=True)
class Study:
    """The whole study.

    Args:
        rows: of ways with a promise that holds with a probability, then in the mean, then of those without.
        peers: empty where the peer is not installed.
        judged: the network, and the population that its exit's and tail's answers are.
        n: calibration samples of a trial.
        command: how to get the same.
    """

    rows: tuple[Row, ...]
    peers: tuple[Beside, ...]
    judged: Judged
    n: int
    confidence: float
    seed: int
    command: str
    seconds: float
    environment: Mapping[str, Any]

    @property
    def trials(self) -> int:
        """Of every way."""
        return self.rows[0].trials

    def of(self, promise: Promise) -> tuple[Row, ...]:
        """The rows whose ways promise this much."""
        return tuple(row for row in self.rows if row.way.promise == promise)

    def row(self, measure: str, name: str, eps: float) -> Row:
        """By measure, name of the way and eps."""
        (found,) = (
            row for row in self.rows if (row.way.measure, row.way.name, row.way.eps) == (measure, name, eps)
        )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `rows` are those that promise to violate with probability delta."""
        return {
            "command": self.command,
            "rows": [row.to_dict() for row in self.of("probability")],
            "in_the_mean": [row.to_dict() for row in self.of("mean")],
            "without_promise": [row.to_dict() for row in self.of("none")],
            "peers": [one.to_dict() for one in self.peers],
            "promises": dict(PROMISES),
            "network": self.judged.to_dict(),
            "calibration_samples": self.n,
            "confidence": self.confidence,
            "seed": self.seed,
            "seconds": self.seconds,
            "environment": dict(self.environment),
        }

    def json(self) -> str:
        """As a document."""
        return json_text(self.to_dict())

    def csv(self) -> str:
        """One line for each way, ours and the peer's, with a header."""
        lines = [row.to_dict() for row in (*self.rows, *(one.peer for one in self.peers))]
        text = [",".join(lines[0])]
        text += [",".join("" if cell is None else str(cell) for cell in line.values()) for line in lines]
        return "\n".join(text) + "\n"


def rows_of(
    population: Outcomes, ways: Sequence[Way], thresholds: Thresholds, *, confidence: float
) -> list[Row]:
    """What became of every way.

    Args:
        thresholds: (n_trials, n_ways).
    """
    return [_row(population, way, thresholds[:, index], 1 - confidence) for index, way in enumerate(ways)]


def beside(peer: Row, ours: Row, peer_thresholds: Floats, our_thresholds: Floats) -> Beside:
    """The peer and ours, trial by trial: thresholds (n_trials,)."""
    gave_up = (peer_thresholds > 1) & (our_thresholds <= 1)
    return Beside(
        peer,
        ours,
        alike=int((peer_thresholds == our_thresholds).sum()),
        fewer=int((peer_thresholds > our_thresholds).sum()),
        more=int((peer_thresholds < our_thresholds).sum()),
        gave_up=int(gave_up.sum()),
    )


def clopper_pearson(k: int, n: int) -> Interval:
    """The exact interval of a share that was k of n."""
    tail = (1 - CONFIDENCE) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return Interval(low, high)


def _row(population: Outcomes, way: Way, thresholds: Floats, delta: float) -> Row:
    distinct, which = np.unique(thresholds, return_inverse=True)
    counted = tally(population, distinct[::-1], way.measure)
    risk = np.nan_to_num(counted.risk())[::-1][which]
    exit_rate = (counted.answered / population.n)[::-1][which]
    n_trials = len(thresholds)
    deviation = float(risk.std(ddof=1)) if n_trials > 1 else 0.0
    return Row(
        way,
        delta=round(delta, 12),
        trials=n_trials,
        violations=int((risk > way.eps).sum()),
        never=int((thresholds > 1).sum()),
        exit_rate_mean=float(exit_rate.mean()),
        risk_mean=float(risk.mean()),
        risk_margin=1.96 * deviation / n_trials**0.5,
    )
