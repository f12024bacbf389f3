"""From calibration samples to the threshold with the largest exit rate whose risk is bounded.

Two parts of the samples, drawn at random, are needed. Whatever is fitted (temperatures, learned scores, the
thresholds that come into question, where a sequence of tests begins) is fitted on the one; only the other is
certified on. So every test is one of a fixed threshold on fresh samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError, DataError
from offramp.exits.guarantee.bounds import BINOMIAL, BOUNDS, WSR, least_n, p_values
from offramp.exits.guarantee.certificate import CRC, Certificate
from offramp.exits.guarantee.grid import threshold_grid
from offramp.exits.guarantee.multiple import Rejected, bonferroni, fixed_sequence, holm
from offramp.exits.guarantee.outcomes import Outcomes
from offramp.exits.guarantee.tally import ACCURACY_DROP, EXITED_ERROR, MEASURES, Tally, tally
from offramp.exits.rule import NEVER

LTT, BONFERRONI, HOLM, UCB = "ltt", "ltt-bonferroni", "ltt-holm", "ucb"
METHODS = (LTT, BONFERRONI, HOLM, UCB, CRC)

_MONOTONE = (UCB, CRC)  # methods that are valid only for a loss that never falls with the threshold


def certify(
    certifying: Outcomes,
    fitting: Outcomes,
    *,
    measure: str,
    risk: float,
    confidence: float = 0.95,
    method: str | None = None,
    bound: str | None = None,
) -> Certificate:
    """The smallest threshold that these samples show to keep the risk at or under `risk`.

    Calibration samples must be drawn like those to come, and unseen in training. `fitting_split` divides
    them.

    Args:
        certifying: outcomes of the samples to certify on; nothing may have been fitted on them.
        fitting: outcomes of the other samples, with the same fitted scores.
        measure: one of MEASURES. accuracy-drop: accuracy of the tail less that of the system, which may be
            negative; exited-error: the share of wrong answers among those that exits give; disagreement: the
            share of samples whose answer is not the tail's.
        risk: eps, the bound, in (0, 1).
        confidence: 1 - delta, in (0, 1); nothing to crc.
        method: one of METHODS, by default ltt.
            ltt: Learn-then-Test by a fixed sequence from the largest threshold down, for exited-error from
            the threshold with the strongest evidence on the fitting samples: among few answers nothing can be
            shown, and the error among answers is not monotone. P(risk <= eps) >= 1 - delta.
            ltt-bonferroni, ltt-holm: Learn-then-Test of all thresholds at once; the same guarantee.
            ucb: the upper confidence bound of a monotone loss stays under eps down to the threshold; the same
            guarantee. Not for exited-error; accuracy-drop is bounded by what only the tail answers right.
            crc: conformal risk control, for the same losses: E[risk] <= eps over draws of the samples.
        bound: one of BOUNDS, by default binomial, which is exact for losses of 0 and 1. For accuracy-drop wsr
            counts gains against losses, the others bound it by losses alone; so for ltt the default is
            binomial or wsr, whichever promises more exits by the fitting samples. With thousands of samples
            that is most often wsr.

    Raises:
        ConfigError: a setting outside its range, or a method that is not valid for the measure.
        DataError: too few samples, even for an exit without a fault; the message says how many it takes.

    Sources: arXiv:2110.01052 (ltt), arXiv:2101.02703 (ucb), arXiv:2208.02814 (crc), arXiv:2405.20915 (ucb and
    crc for early exits).
    """
    asked = Question.of(measure, risk, confidence, method, bound)
    thresholds = threshold_grid(fitting)
    if bound is None:
        asked = asked.with_better_bound(fitting, thresholds, times=certifying.n / fitting.n)
    asked.check_enough(certifying.n, len(thresholds))
    counted = asked.count(certifying, thresholds)
    certified = np.flatnonzero(asked.certified(counted, fitting, thresholds))
    last = int(certified[-1]) if len(certified) else None
    return _certificate(asked, last, counted, thresholds, certifying.n, fitting.n)


def check_certifiable(
    measure: str, risk: float, confidence: float, method: str | None = None, bound: str | None = None
) -> None:
    """Raise ConfigError where `certify` would refuse these settings, before any sample is at hand."""
    Question.of(measure, risk, confidence, method, bound)


@dataclass(frozen=True)
class Question:
    """What is to be certified, checked, with its defaults."""

    measure: str
    risk: float
    delta: float
    confidence: float
    method: str
    bound: str | None

    @classmethod
    def of(
        cls, measure: str, risk: float, confidence: float, method: str | None, bound: str | None
    ) -> Question:
        """From the arguments of `certify`, which says what it raises."""
        method = LTT if method is None else method
        for name, value, known in (
            ("measure", measure, MEASURES),
            ("method", method, METHODS),
            ("bound", bound, (None, *BOUNDS)),
        ):
            if value not in known:
                raise ConfigError(f"unknown {name} {value!r}; use one of {', '.join(filter(None, known))}")
        for name, share in (("risk", risk), ("confidence", confidence)):
            if not 0 < share < 1:
                raise ConfigError(f"{name}={share}; use a share between 0 and 1")
        if method in _MONOTONE and measure == EXITED_ERROR:
            raise ConfigError(
                f"method {method} needs a risk that never falls with the threshold, which {measure} may do;"
                f" use {LTT}, {BONFERRONI} or {HOLM}"
            )
        if method == CRC and bound is not None:
            raise ConfigError(f"method {CRC} has no bound; leave {bound} out, or use another method")
        chosen = None if method == CRC else bound or BINOMIAL
        return cls(measure, risk, 1 - confidence, confidence, method, chosen)

    def with_better_bound(
        self, fitting: Outcomes, thresholds: npt.NDArray[np.float64], *, times: float
    ) -> Question:
        """With wsr, if that promises more exits by the samples that are not certified on.

        Args:
            times: as many more samples are certified on.
        """
        if self.measure != ACCURACY_DROP or self.method in _MONOTONE:
            return self
        counted = self.count(fitting, thresholds)
        other = replace(self, bound=WSR)
        ours, theirs = (one.rejected(one.p_values(counted, times=times)) for one in (self, other))
        return other if theirs.sum() > ours.sum() else self

    def check_enough(self, n: int, n_thresholds: int) -> None:
        """Raise DataError if not even a faultless exit could be certified on n samples."""
        if self.bound is None:
            needed = math.ceil(1 / self.risk - 1e-9) - 1
        else:
            needed = least_n(self.bound, self.risk, delta=self._level(n_thresholds))
        if n < needed:
            raise DataError(
                f"{n:,} samples are too few to certify {self.measure} of at most {self.risk:g}"
                f" with confidence {self.confidence:g}: even an exit without a fault takes {needed:,}, beside"
                " those to fit on; give more samples, or allow more risk or less confidence"
            )

    def count(self, outcomes: Outcomes, thresholds: npt.NDArray[np.float64]) -> Tally:
        """The losses that the method bounds."""
        return tally(outcomes, thresholds, self.measure, monotone=self.method in _MONOTONE)

    def p_values(self, counted: Tally, *, times: float = 1.0) -> npt.NDArray[np.float64]:
        """Of "the risk is larger", for every threshold.

        Args:
            times: what they would be, roughly, were there so many times as many samples.
        """
        assert self.bound is not None
        n, losses, gains = (times * count for count in (counted.n, counted.losses, counted.gains))
        return p_values(self.bound, n, losses, gains, self.risk, delta=self._level(len(counted.n)))

    def certified(self, counted: Tally, fitting: Outcomes, thresholds: npt.NDArray[np.float64]) -> Rejected:
        """Which thresholds may be used, all of them at once.

        Args:
            counted: what `count` gave for the certifying samples.
        """
        if self.method == CRC:
            return self._in_the_mean(counted)
        start = 0
        if self.measure == EXITED_ERROR and self.method == LTT:  # chosen on samples that are not certified on
            start = self.start(fitting, thresholds, times=int(counted.n[-1]) / max(1, fitting.n))
        return self.rejected(self.p_values(counted), start=start)

    def rejected(self, p_values: npt.NDArray[np.float64], *, start: int = 0) -> Rejected:
        """Which hypotheses with these p-values can be rejected together; a sequence begins at start."""
        family = _FAMILIES.get(self.method)
        return family(p_values, self.delta) if family else fixed_sequence(p_values, self.delta, start=start)

    def start(self, fitting: Outcomes, thresholds: npt.NDArray[np.float64], *, times: float) -> int:
        """Where the fitting samples promise the smallest p-value; the largest of equally good thresholds.

        Args:
            times: as many more samples are certified on.
        """
        return int(np.argmin(self.p_values(self.count(fitting, thresholds), times=times)))

    def _in_the_mean(self, counted: Tally) -> Rejected:
        """Conformal risk control: n/(n + 1) of the empirical risk and 1/(n + 1) for the sample to come.

        The loss never falls with the threshold and is 0 where no exit answers, so it is enough that this
        sum is at most eps; no probability is spent on the choice.

        Source: arXiv:2208.02814, theorem 1, on the finite set of these thresholds.
        """
        return np.asarray((counted.losses + 1) / (counted.n + 1) <= self.risk)

    def _level(self, n_thresholds: int) -> float:
        """At which the first test is made."""
        return self.delta / n_thresholds if self.method in _FAMILIES else self.delta


_FAMILIES: dict[str, Callable[[npt.NDArray[np.float64], float], Rejected]] = {
    BONFERRONI: bonferroni,
    HOLM: holm,
}


def _certificate(
    asked: Question,
    last: int | None,
    counted: Tally,
    thresholds: npt.NDArray[np.float64],
    n: int,
    n_fitted: int,
) -> Certificate:
    never = last is None
    at = 0 if last is None else last
    return Certificate(
        measure=asked.measure,
        method=asked.method,
        bound=asked.bound,
        risk=asked.risk,
        confidence=asked.confidence,
        threshold=NEVER if never else float(thresholds[at]),
        exit_rate=0.0 if never else int(counted.answered[at]) / n,
        edge_exit_rate=0.0 if never else int(counted.answered_on_edge[at]) / n,
        n=n,
        n_fitted=n_fitted,
        n_thresholds=len(thresholds),
        n_judged=0 if never else int(counted.n[at]),
        n_losses=0 if never else int(counted.losses[at]),
        n_gains=0 if never else int(counted.gains[at]),
        p_value=None if never or asked.bound is None else float(asked.p_values(counted)[at]),
    )
