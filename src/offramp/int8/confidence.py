"""How sure an exit is, in integers: a level, larger where it is surer, and that of the threshold.

docs/formats/int8.md has the arithmetic. Levels of one rule rise with its confidence, so `sure` is a
comparison of integers, and a threshold can be certified on the confidences that the levels stand for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError
from offramp.exits import ExitRule
from offramp.int8.powers import FRACTION, ONE, ZERO_FROM, exp2, log2
from offramp.int8.scaling import Integers

MAX_CLASSES = 4096
NEVER_SURE = 2**31 - 1  # no level is as large
FARTHEST = 2**20 - 1  # 256 octaves behind the best score: nothing is farther
_HALF = 15  # fractional bits of a margin
_LIGHTEST = 14  # bits that all weights of the learned criterion together may take

Wide = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Distance:
    """How far a score is behind the best: octaves = min((d · 2^lift · multiplier) >> shift, FARTHEST).

    `lift` is 0 unless a unit of the scores is worth more than 2^-12 octaves; d · 2^lift is cut at 2^32 - 1.
    """

    multiplier: int
    shift: int
    lift: int

    def __call__(self, behind: Integers) -> Integers:
        """Octaves, 12 fractional bits, of differences of scores, 0 or more."""
        lifted = np.minimum(behind, (2**32 - 1) >> self.lift) << self.lift
        return np.asarray(np.minimum((lifted * self.multiplier) >> self.shift, FARTHEST))


@dataclass(frozen=True)
class IntegerRule:
    """An exit rule for integer scores.

    Args:
        rule: criterion, temperature, weights and threshold.
        unit: what a unit of the scores is worth.
        n_classes: 2 ... MAX_CLASSES.

    Raises:
        ConfigError: another number of classes.
    """

    rule: ExitRule
    unit: float
    n_classes: int

    def __post_init__(self) -> None:
        if not 2 <= self.n_classes <= MAX_CLASSES:
            raise ConfigError(f"{self.n_classes} classes; an integer exit knows 2 to {MAX_CLASSES}")

    @property
    def octaves_per_unit(self) -> float:
        """How many of 2^-12 octaves a unit of the scores is worth; none is worth more than all octaves."""
        return min(self.unit / (self.rule.temperature * math.log(2)) * float(1 << FRACTION), FARTHEST + 1.0)

    @cached_property
    def distance(self) -> Distance:
        """From scores to octaves."""
        octaves = self.octaves_per_unit
        exponent = math.frexp(octaves)[1]  # octaves = f · 2^exponent, f in [1/2, 1)
        lift = max(0, exponent)
        shift = min(16 - (exponent - lift), 47)
        return Distance(min(round(octaves * 2.0 ** (shift - lift)), 65535), shift, lift)

    @cached_property
    def n_near(self) -> int:
        """The least distance from the best score, in its units, from which on a share is 0."""
        low, high = 0, 2**32 - 1
        while low < high:
            middle = (low + high) // 2
            if self.distance(np.array(middle)) >= ZERO_FROM:
                high = middle
            else:
                low = middle + 1
        return high

    @cached_property
    def learned(self) -> tuple[tuple[int, ...], int, int]:
        """Of the learned criterion: weights by rank (the best score's is 0), constant, fractional bits."""
        *weights, constant = self.rule.weights
        wanted = [0.0, *(weight * math.log(2) / 2 ** (FRACTION - 4) for weight in weights[1:])]
        total = max(sum(map(abs, wanted)), abs(constant) / 2**_HALF, 2.0**-40)
        bits = _LIGHTEST - math.frexp(total)[1]
        return tuple(round(w * 2.0**bits) for w in wanted), round(constant * 2.0**bits), bits

    def level(self, scores: Integers) -> Integers:
        """(n,) of scores (n, n_classes)."""
        return self.level_at(self.distance(scores.max(axis=1, keepdims=True) - scores))

    def level_at(self, octaves: Integers) -> Integers:
        """(n,) of octaves (n, n_classes) behind the best score."""
        octaves = np.sort(octaves, axis=1)  # of no matter but for the learned criterion; the best comes first
        if self.rule.criterion == "learned":
            weights, constant, _ = self.learned
            return np.asarray(constant - (np.array(weights) * (octaves >> 4)).sum(axis=1))
        shares = exp2(octaves)
        others = shares[:, 1:].sum(axis=1)
        if self.rule.criterion == "max_softmax":
            return np.asarray(-others)
        whole = ONE + others
        if self.rule.criterion == "margin":
            return np.asarray(((ONE - shares[:, 1]) << _HALF) // whole)
        surprise = ((shares * octaves) >> 8).sum(axis=1) // (whole >> 8)
        return np.asarray(-(log2(whole) + surprise))

    def confidence_of(self, level: npt.ArrayLike) -> Wide:
        """What levels stand for, in [0, 1]; never falls as they rise."""
        x = np.asarray(level, np.float64)
        match self.rule.criterion:
            case "max_softmax":
                return np.asarray(ONE / (ONE - np.minimum(x, 0)))
            case "margin":
                return np.asarray(np.clip(x / 2**_HALF, 0, 1))
            case "entropy":
                return np.asarray(np.clip(1 + x / (2**FRACTION * math.log2(self.n_classes)), 0, 1))
            case _:
                with np.errstate(over="ignore"):  # the confidence is 0
                    return np.asarray(1 / (1 + np.exp(-x / 2.0 ** self.learned[2])))

    def confidence(self, scores: npt.ArrayLike) -> Wide:
        """How sure the exit is of each row of integer scores (n, n_classes): (n,) in [0, 1]."""
        return self.confidence_of(self.level(np.asarray(scores).astype(np.int64)))

    @cached_property
    def threshold_level(self) -> int:
        """The least level that is sure; NEVER_SURE where none is."""
        low, high = -(2**31), NEVER_SURE
        while low < high:  # the first level whose confidence reaches the threshold
            middle = (low + high) // 2
            if self.confidence_of(middle) >= self.rule.threshold:
                high = middle
            else:
                low = middle + 1
        return high

    def sure(self, scores: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which rows the exit may answer: (n,)."""
        return np.asarray(self.level(np.asarray(scores).astype(np.int64)) >= self.threshold_level)
