"""The ways to a threshold that are held against their promises."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict

import numpy as np

from offramp.exits import NEVER
from offramp.exits.guarantee import BOUNDS, MEASURES, Outcomes, certify, threshold_grid
from offramp.exits.guarantee.tally import ACCURACY_DROP, DISAGREEMENT, EXITED_ERROR, tally
from offramp.experiments.certificates.peer import PEER_METHODS, peer_threshold

Promise = Literal["probability", "mean", "none"]

EMPIRICAL = "empirical"
RISKS = (0.005, 0.01, 0.02)

PROMISES: dict[Promise, str] = {
    "probability": "the risk is at most eps with a probability of at least 1 - delta over the draw of the"
    " calibration samples",
    "mean": "the mean risk over draws of the calibration samples is at most eps",
    "none": "nothing",
}


class Method(NamedTuple):
    """A method of `certify`, or `empirical`."""

    name: str
    promise: Promise
    meaning: str


METHODS = {
    method.name: method
    for method in (
        Method("ltt", "probability", "Learn-then-Test, one threshold after the other in a fixed sequence"),
        Method("ltt-bonferroni", "probability", "Learn-then-Test, all thresholds at delta over their number"),
        Method("ltt-holm", "probability", "Learn-then-Test, Holm's step-down correction"),
        Method("ucb", "probability", "the upper confidence bound of a monotone loss"),
        Method("crc", "mean", "conformal risk control of a monotone loss"),
        Method(EMPIRICAL, "none", "the last threshold whose risk on the calibration samples is at most eps"),
    )
}


class Asked(TypedDict):
    """What is asked of ours and of the peer alike."""

    measure: str
    risk: float
    confidence: float


@dataclass(frozen=True)
class Way:
    """A method with its bound, for a measure and a risk of at most eps."""

    measure: str
    method: str
    bound: str | None
    eps: float

    @property
    def promise(self) -> Promise:
        """What it promises, see PROMISES."""
        return "probability" if self.method in PEER_METHODS else METHODS[self.method].promise

    @property
    def name(self) -> str:
        """Method and bound."""
        return f"{self.method} {self.bound}" if self.bound else self.method

    def threshold(self, certifying: Outcomes, fitting: Outcomes, *, confidence: float) -> float:
        """That it takes on these samples; NEVER for none."""
        if self.method == EMPIRICAL:
            return self._empirical(certifying, fitting)
        asked: Asked = {"measure": self.measure, "risk": self.eps, "confidence": confidence}
        if self.method in PEER_METHODS:
            return peer_threshold(self.method, certifying, fitting, **asked)
        return certify(certifying, fitting, method=self.method, bound=self.bound, **asked).threshold

    def _empirical(self, certifying: Outcomes, fitting: Outcomes) -> float:
        thresholds = threshold_grid(fitting)
        risks = np.nan_to_num(tally(certifying, thresholds, self.measure).risk())
        allowed = np.flatnonzero(risks <= self.eps)
        return float(thresholds[allowed[-1]]) if len(allowed) else NEVER


def all_ways() -> tuple[Way, ...]:
    """Every method and bound that is valid for a measure, and without promise `empirical`, for all RISKS."""
    found = []
    for measure in MEASURES:
        monotone = measure != EXITED_ERROR
        for method in METHODS:
            if method in ("ucb", "crc") and not monotone:
                continue
            bounds: tuple[str | None, ...] = (None,)
            if method in ("ltt", "ucb"):
                bounds = (*((None,) if (measure, method) == (ACCURACY_DROP, "ltt") else ()), *BOUNDS)
            elif method.startswith("ltt-"):
                bounds = ("binomial",)
            found += [Way(measure, method, bound, eps) for bound in bounds for eps in RISKS]
    return tuple(found)


PEER_EPS = 0.01  # one is enough to compare by


def peer_pairs() -> tuple[tuple[Way, Way], ...]:
    """What the peer covers, each with the way of ours that should take the same threshold."""

    def pair(measure: str, method: str, ours: str) -> tuple[Way, Way]:
        return Way(measure, method, None, PEER_EPS), Way(measure, ours, "binomial", PEER_EPS)

    return (
        *(pair(EXITED_ERROR, method, ours) for method, ours in PEER_METHODS.items()),
        pair(ACCURACY_DROP, "mapie fixed_sequence", "ltt"),
        pair(DISAGREEMENT, "mapie fixed_sequence", "ltt"),
    )
