"""What a bundle is worth on samples that it was neither trained nor calibrated on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.exits import ExitRule, Reliability, reliability
from offramp.exits.guarantee import MEASURES
from offramp.plan.judgement.judged import Verdicts, claimed, outcomes_of, rules_of, verdicts_of
from offramp.plan.judgement.shares import Share, difference, share
from offramp.runtime import scores_of


@dataclass(frozen=True)
class ExitWorth:
    """One exit.

    Args:
        on_edge: whether it runs on the device.
        accuracy: were it asked about every sample.
        answers: share of the samples that it answers.
        accuracy_of_answers: of these.
        reliability: of the probability that it claims, on every sample.
    """

    name: str
    on_edge: bool
    rule: ExitRule
    accuracy: Share
    answers: Share
    accuracy_of_answers: Share
    reliability: Reliability


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a bundle's exits, its tail and all together give on n samples, with 95% intervals.

    Args:
        verdicts: who answers each sample.
        tail_accuracy: were the tail asked about every sample.
        system_accuracy: of the answers that come.
        exit_rate, edge_exit_rate: shares that an exit answers, and one on the device.
        risks: by measure, see `certify`.
    """

    n: int
    verdicts: Verdicts
    exits: tuple[ExitWorth, ...]
    tail_accuracy: Share
    system_accuracy: Share
    exit_rate: Share
    edge_exit_rate: Share
    risks: dict[str, Share]


def evaluated(
    bundle: Bundle,
    samples: npt.NDArray[Any],
    labels: npt.ArrayLike,
    *,
    int8: bool = False,
    threads: int = 1,
) -> Evaluation:
    """Everything but the codecs, for which see `codec_rows`; arguments and errors as `judged`."""
    scores = scores_of(bundle, samples, int8=int8, threads=threads)
    verdicts = verdicts_of(bundle, outcomes_of(bundle, scores, labels))
    right = verdicts.exit_right
    exits = tuple(
        ExitWorth(
            name=name,
            on_edge=number <= verdicts.at_cut,
            rule=rule,
            accuracy=share(right[number]),
            answers=share(verdicts.answered_by == number),
            accuracy_of_answers=share(right[number][verdicts.answered_by == number]),
            reliability=reliability(claimed(rule, scores.exits[name]), right[number]),
        )
        for number, (name, rule) in enumerate(rules_of(bundle).items())
    )
    return Evaluation(
        n=len(samples),
        verdicts=verdicts,
        exits=exits,
        tail_accuracy=share(verdicts.tail_right),
        system_accuracy=share(verdicts.system_right),
        exit_rate=share(verdicts.exited),
        edge_exit_rate=share(~verdicts.offloaded),
        risks=risks(verdicts),
    )


def risks(verdicts: Verdicts) -> dict[str, Share]:
    """What the exits cost, by measure."""
    found = (
        difference(verdicts.tail_right, verdicts.system_right),
        share(~verdicts.system_right[verdicts.exited]),
        share(verdicts.system_labels != verdicts.outcomes.tail_labels),
    )
    return dict(zip(MEASURES, found, strict=True))
