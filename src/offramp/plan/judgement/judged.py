"""What exits and tail of a bundle said to samples, and who answers them by the bundle's rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.errors import InputError
from offramp.exits import ExitRule, max_softmax
from offramp.exits.guarantee import Outcomes
from offramp.int8 import IntegerRule
from offramp.runtime import Scores, scores_of
from offramp.runtime.network import Real

LEARNED = "learned"

Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int64]


def judged(
    bundle: Bundle,
    samples: npt.NDArray[Any],
    labels: npt.ArrayLike | None = None,
    *,
    int8: bool = False,
    threads: int = 1,
) -> Outcomes:
    """What every exit and the tail say to these samples, as device and server will see them.

    Native kernels, and features for the tail as they arrive; confidences are those of the bundle's rules.

    Args:
        bundle: with all of its parts.
        samples: raw, (n, *shape).
        labels: (n,) class numbers; None where nobody knows them.
        int8: whether the device computes with integers; the rule is that of the bundle's exit all the same,
            see `IntegerDevice.as_bundle`.

    Raises:
        ConfigError: a part is not here.
        DataError, InputError: samples that the network cannot digest, or labels that do not belong to them.
    """
    return outcomes_of(bundle, scores_of(bundle, samples, int8=int8, threads=threads), labels)


def outcomes_of(bundle: Bundle, scores: Scores, labels: npt.ArrayLike | None = None) -> Outcomes:
    """What scores mean by the bundle's rules."""
    rules = rules_of(bundle)
    given = scores.exits.items()
    return Outcomes(
        confidence=np.stack(
            [_confidence(rules[name], exit_scores, scores.units.get(name)) for name, exit_scores in given]
        ),
        exit_labels=np.stack([exit_scores.argmax(axis=1) for _, exit_scores in given]),
        tail_labels=scores.tail.argmax(axis=1),
        labels=None if labels is None else np.asarray(labels),
        on_edge=np.arange(len(rules)) < scores.n_on_edge,
    )


def _confidence(rule: ExitRule, scores: Real, unit: float | None) -> npt.NDArray[np.float64]:
    if unit is None:
        return rule.confidence(scores)
    return IntegerRule(rule, unit, scores.shape[1]).confidence(np.rint(scores / unit))


def rules_of(bundle: Bundle) -> dict[str, ExitRule]:
    """The rule of every exit by its part's name, in order of execution."""
    return {
        **{one.name: one.rule for one in bundle.exits("head")},
        "exit": bundle.exit_rule,
        **{one.name: one.rule for one in bundle.exits("tail")},
    }


def with_rules(bundle: Bundle, rules: dict[str, ExitRule]) -> Bundle:
    """The bundle with other rules, by the names of `rules_of`."""
    inner = tuple(replace(one, rule=rules[one.name]) for one in bundle.inner_exits)
    return replace(bundle, exit_rule=rules["exit"], inner_exits=inner)


def claimed(rule: ExitRule, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The probability of being right that an exit claims (n,): learned, or by its softmax.

    Margin and entropy rank samples and claim none; under their rules too it is the softmax at the rule's
    temperature.
    """
    if rule.criterion == LEARNED:
        return rule.confidence(scores)
    return max_softmax(scores, rule.temperature)


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Who answers n labelled samples by the bundle's rules, and who would be right.

    Args:
        outcomes: with labels.
        answered_by: (n,) the number of the exit, or TAIL (-1).
    """

    outcomes: Outcomes
    answered_by: Labels

    @property
    def exit_right(self) -> Bools:
        """(n_exits, n): where each exit's verdict is right, sure or not."""
        return np.equal(self.outcomes.exit_labels, self._labels)

    @property
    def tail_right(self) -> Bools:
        """(n,): where the tail's is."""
        return np.equal(self.outcomes.tail_labels, self._labels)

    @property
    def system_right(self) -> Bools:
        """(n,): where the answer is that comes, of the first exit that is sure, else of the tail."""
        return np.equal(self.system_labels, self._labels)

    @property
    def system_labels(self) -> Labels:
        """(n,): the answers that come."""
        numbers = np.maximum(self.answered_by, 0)[None]
        by_exit = np.take_along_axis(self.outcomes.exit_labels, numbers, axis=0)[0]
        return np.where(self.exited, by_exit, self.outcomes.tail_labels)

    @property
    def exited(self) -> Bools:
        """(n,): where an exit answers."""
        return self.answered_by >= 0

    @property
    def offloaded(self) -> Bools:
        """(n,): where no exit on the device answers."""
        return ~self.exited | (self.answered_by > self.at_cut)

    @property
    def at_cut(self) -> int:
        """The number of the exit at the cut: the last one on the device."""
        return int(self.outcomes.on_edge.sum()) - 1

    @property
    def _labels(self) -> Labels:
        assert self.outcomes.labels is not None, "verdicts_of saw to it"
        return self.outcomes.labels


def verdicts(
    bundle: Bundle, samples: npt.NDArray[Any], labels: npt.ArrayLike, *, threads: int = 1
) -> Verdicts:
    """The verdicts of `judged`."""
    return verdicts_of(bundle, judged(bundle, samples, labels, threads=threads))


def verdicts_of(bundle: Bundle, outcomes: Outcomes) -> Verdicts:
    """Who answers by the thresholds of the bundle's rules, which may differ from exit to exit.

    Raises:
        InputError: nobody knows the labels.
    """
    if outcomes.labels is None:
        raise InputError("samples without labels; who is right is known of labelled samples only")
    thresholds = np.array([rule.threshold for rule in rules_of(bundle).values()])
    sure = np.where(outcomes.confidence >= thresholds[:, None], 1.0, np.nan)  # NaN is never sure
    return Verdicts(outcomes, replace(outcomes, confidence=sure).answered_by(1.0))
