"""A part with exits inside: rows that are sure leave the batch, later layers compute the others only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle, Part, Place
from offramp.errors import ConfigError
from offramp.exits import ExitRule
from offramp.runtime.network import FloatArray, Network, Real

# Log-odds closer than this may be told apart by the order of sums, which was seen to change scores by 2e-5.
_NEAR = 1e-3
_ALL_BUT_ONE = 1 - 1e-13  # beyond, float64 has too few steps for log-odds


@dataclass(frozen=True)
class Way:
    """An exit that rows may take: after the first `after` layers of the part it stands in."""

    name: str
    after: int
    part: Part
    rule: ExitRule


class Left(NamedTuple):
    """Rows that took one exit.

    Args:
        name: of the exit.
        rows: which they are, (n,).
        scores, confidence: of the exit and by its rule, (n, n_classes) and (n,).
        n_macs: multiply-adds executed for each of them.
    """

    name: str
    rows: npt.NDArray[np.intp]
    scores: Real
    confidence: npt.NDArray[np.float64]
    n_macs: int


class Passage(NamedTuple):
    """What became of a batch.

    Args:
        left: those that took an exit, by exit, in order of execution.
        rows: the others, (n,).
        outputs: what the part made of these, (n, n_out).
        scores, confidence: what the last exit said to these, (n, n_classes) and (n,); None where
            it said nothing.
        n_macs: multiply-adds executed for each of these.
        seen: the confidence of each exit, by name, in the rows that came to it; in order of execution.
    """

    left: tuple[Left, ...]
    rows: npt.NDArray[np.intp]
    outputs: FloatArray
    scores: Real | None
    confidence: npt.NDArray[np.float64] | None
    n_macs: int
    seen: dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class _Stage:
    """Layers of the part, and the exit behind them."""

    layers: Network
    exit: Network
    way: Way


def inner_ways(bundle: Bundle, place: Place) -> tuple[Way, ...]:
    """The inner exits of head or tail that are here."""
    return tuple(Way(one.name, one.after, one.part, one.rule) for one in bundle.exits(place))


def ways_of_head(bundle: Bundle) -> tuple[Way, ...]:
    """All exits of the device: the head's inner ones, then the one at the cut.

    Raises:
        ConfigError: no head, or no exit at the cut.
    """
    if bundle.head is None or bundle.exit is None:
        raise ConfigError(f"bundle {bundle.name!r} has no head with an exit; give both parts")
    at_the_cut = Way("exit", len(bundle.head.layers), bundle.exit, bundle.exit_rule)
    return (*inner_ways(bundle, "head"), at_the_cut)


class Cascade:
    """A part that computes, left by the rows that an exit is sure of. Calls may come from several threads.

    Whether a row leaves does not depend on the rows beside it: a row whose confidence is so near to the
    threshold that the order of sums might decide is computed once more, alone, and that decides. Its scores,
    and what goes on to the next layers, are those of the batch, equal to the last places of float32.

    Args:
        part: head or tail.
        ways: its exits; one may stand behind the last layer.
        threads: for the kernels.
    """

    def __init__(self, part: Part, ways: Sequence[Way] = (), *, threads: int = 1) -> None:
        ordered = sorted(ways, key=lambda way: way.after)
        ends = [0, *(way.after for way in ordered)]
        self._stages = [
            _Stage(
                Network(part, threads=threads, start=start, stop=stop),
                Network(way.part, threads=threads),
                way,
            )
            for (start, stop), way in zip(pairwise(ends), ordered, strict=True)
        ]
        self._rest = Network(part, threads=threads, start=ends[-1])
        self.n_in = part.n_in

    @property
    def networks(self) -> tuple[Network, ...]:
        """All that may be computed, in order of execution."""
        return (*(one for stage in self._stages for one in (stage.layers, stage.exit)), self._rest)

    def __call__(self, x: FloatArray) -> Passage:
        """Who leaves where, and what the part makes of the others.

        Args:
            x: (n, n_in). A row that overflows inside leaves by no exit; `outputs` need not be finite.

        Raises:
            DataError: inputs of another shape.
        """
        left: list[Left] = []
        seen: dict[str, npt.NDArray[np.float64]] = {}
        inputs, rows, n_macs = x, np.arange(len(x)), 0
        scores = confidence = None
        for number, stage in enumerate(self._stages):
            x = stage.layers(x)
            scores = stage.exit(x)
            n_macs += stage.layers.n_macs + stage.exit.n_macs
            confidence = stage.way.rule.confidence(scores)
            self._settle(number, confidence, inputs, rows)
            seen[stage.way.name] = confidence
            sure = _sure(stage.way.rule, confidence, x)
            n_sure = np.count_nonzero(sure)
            if n_sure == 0:
                continue
            if n_sure == len(rows):
                left.append(Left(stage.way.name, rows, scores, confidence, n_macs))
                rows = rows[:0]
                break
            left.append(Left(stage.way.name, rows[sure], scores[sure], confidence[sure], n_macs))
            x, rows, scores, confidence = x[~sure], rows[~sure], scores[~sure], confidence[~sure]
        if not len(rows):
            nothing = np.empty((0, self._rest.n_out), np.float32)
            return Passage(tuple(left), rows, nothing, None, None, n_macs, seen)
        outputs = self._rest(x)
        n_macs += self._rest.n_macs
        return Passage(tuple(left), rows, outputs, scores, confidence, n_macs, seen)

    def scores(self, x: FloatArray) -> FloatArray:
        """The scores of x (n, n_in): of the exit that a row left by, else of the part: (n, n_out)."""
        passage = self(x)
        scores = np.empty((len(x), self._rest.n_out), np.float32)
        scores[passage.rows] = passage.outputs
        for left in passage.left:
            scores[left.rows] = left.scores
        return scores

    def whole(self, x: FloatArray) -> FloatArray:
        """What the part makes of x (n, n_in) when nobody leaves: (n, n_out)."""
        for stage in self._stages:
            x = stage.layers(x)
        return self._rest(x)

    def _settle(
        self, number: int, confidence: npt.NDArray[np.float64], inputs: FloatArray, rows: npt.NDArray[np.intp]
    ) -> None:
        """Put in place of confidences near the threshold those of their rows alone."""
        if len(inputs) == 1:
            return
        stages = self._stages[: number + 1]
        rule = stages[-1].way.rule
        for i in np.flatnonzero(_near(confidence, rule.threshold)):
            x = inputs[rows[i], None]
            for stage in stages:
                x = stage.layers(x)
            confidence[i] = rule.confidence(stages[-1].exit(x))[0]


def _sure(rule: ExitRule, confidence: npt.NDArray[np.float64], x: FloatArray) -> npt.NDArray[np.bool_]:
    """Which rows leave; none of those with an overflow in x, though a ReLU in the exit may hide it."""
    sure = confidence >= rule.threshold
    finite = np.isfinite(x)
    return sure if finite.all() else sure & finite.all(axis=1)


def _near(confidence: npt.NDArray[np.float64], threshold: float) -> npt.NDArray[np.bool_]:
    if not 0 < threshold <= 1:
        return np.zeros(len(confidence), np.bool_)
    limit = min(threshold, _ALL_BUT_ONE)
    with np.errstate(divide="ignore"):  # a confidence of 0
        odds = np.log(confidence) - np.log1p(-np.minimum(confidence, _ALL_BUT_ONE))
    near: npt.NDArray[np.bool_] = np.abs(odds - math.log(limit / (1 - limit))) < _NEAR
    return near
