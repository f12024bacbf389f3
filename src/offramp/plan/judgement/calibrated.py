"""From calibration samples to a bundle whose exits keep a guarantee."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.data import samples_digest
from offramp.exits import (
    NEVER,
    ExitRule,
    Profile,
    Reliability,
    fit_learned,
    fit_temperature,
    max_softmax,
    profile_of,
    reliability,
)
from offramp.exits.guarantee import Certificate, Outcomes, certify, fitting_split
from offramp.plan.judgement.judged import LEARNED, Labels, claimed, outcomes_of, with_rules
from offramp.runtime import Scores, scores_of
from offramp.runtime.network import Real

PROFILE_BINS = 20


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibrated bundle, and what it was calibrated by.

    Args:
        bundle: with the certified threshold on all of its exits.
        certificate: what was certified.
        certifying, fitting: outcomes of the samples certified on, and of those that temperatures, learned
            scores and the grid of thresholds were fitted to, by the new rules.
        before, after: of every exit by name, how far what it claims can be believed on the certifying
            samples: its softmax as trained, and with the fitted temperature or learned score.
    """

    bundle: Bundle
    certificate: Certificate
    certifying: Outcomes
    fitting: Outcomes
    before: dict[str, Reliability]
    after: dict[str, Reliability]


def calibrated(
    bundle: Bundle,
    samples: npt.NDArray[Any],
    labels: npt.ArrayLike | None = None,
    *,
    risk: float,
    confidence: float = 0.95,
    measure: str = "accuracy-drop",
    method: str | None = None,
    bound: str | None = None,
    criterion: str = "max_softmax",
    seed: int = 0,
    int8: bool = False,
    threads: int = 1,
) -> Calibration:
    """Fit temperatures and learned scores on a fifth of the samples, certify a threshold on the others.

    Exits and tail are heard as device and server will hear them: native kernels, features as they arrive.

    Args:
        bundle: with all of its parts.
        samples: raw, (n, *shape), unseen in training and drawn like those to come.
        labels: (n,) class numbers; without them temperatures are fitted to the tail's answers, and the only
            measure is disagreement.
        risk, confidence, measure, method, bound: as in `certify`.
        criterion: of all exits, one of CRITERIA.
        seed: draws the fifth.
        int8: whether the device computes with integers, as in `judged`.

    Raises:
        ConfigError: a setting outside its range, a part that is not here.
        DataError: too few samples; the message says how many it takes.
        InputError: samples that the network cannot digest, labels that are no classes.
    """
    scores = scores_of(bundle, samples, int8=int8, threads=threads)
    known = None if labels is None else np.asarray(labels)
    truth = scores.tail.argmax(axis=1) if known is None else known
    fit, certify_on = fitting_split(len(samples), seed=seed)
    rules = {
        name: _fitted(exit_scores[fit], truth[fit], criterion) for name, exit_scores in scores.exits.items()
    }
    outcomes = outcomes_of(with_rules(bundle, rules), scores, known)
    certifying, fitting = outcomes.take(certify_on), outcomes.take(fit)
    certificate = certify(
        certifying,
        fitting,
        measure=measure,
        risk=risk,
        confidence=confidence,
        method=method,
        bound=bound,
    )
    before, after = _reliability(scores, rules, truth, certify_on)
    shared = certificate.evidence() | {
        "data_digest": samples_digest(samples, known),
        "seed": seed,
        "codec": bundle.codec.name,
        "codec_digest": bundle.codec.digest,
        "fitted_to": "the tail's answers" if known is None else "labels",
    }
    profiles = _profiles(fitting, certifying, certificate.threshold)
    finished = {
        name: replace(
            rule,
            threshold=certificate.threshold,
            profile=profile,
            evidence=shared | {"ece_before": before[name].ece, "ece_after": after[name].ece},
        )
        for (name, rule), profile in zip(rules.items(), profiles, strict=True)
    }
    return Calibration(with_rules(bundle, finished), certificate, certifying, fitting, before, after)


def _fitted(scores: Real, truth: Labels, criterion: str) -> ExitRule:
    """The rule of an exit that said this to samples of these classes; its threshold is still open."""
    temperature = fit_temperature(scores, truth)
    weights: tuple[float, ...] = ()
    if criterion == LEARNED:
        weights = fit_learned(scores.astype(np.float64) / temperature, scores.argmax(axis=1) == truth)
    return ExitRule(NEVER, criterion, temperature=temperature, weights=weights)


def _reliability(
    scores: Scores, rules: dict[str, ExitRule], truth: Labels, chosen: npt.NDArray[np.int64]
) -> tuple[dict[str, Reliability], dict[str, Reliability]]:
    """Of what every exit claims, as trained and as fitted."""
    before, after = {}, {}
    for name, exit_scores in scores.exits.items():
        own = exit_scores[chosen]
        right = own.argmax(axis=1) == truth[chosen]
        before[name] = reliability(max_softmax(own), right)
        after[name] = reliability(claimed(rules[name], own), right)
    return before, after


def _profiles(fitting: Outcomes, certifying: Outcomes, threshold: float) -> list[Profile | None]:
    """Of every exit the confidences of the samples that come to it; None where too few do."""
    edges, counts = _reaching(fitting, threshold), _reaching(certifying, threshold)
    return [
        profile_of(counted, PROFILE_BINS, edges_from=placing) if len(placing) and len(counted) else None
        for placing, counted in zip(edges, counts, strict=True)
    ]


def _reaching(outcomes: Outcomes, threshold: float) -> list[npt.NDArray[np.float64]]:
    """Of every exit the confidences of the samples that no exit before it answers."""
    sure = outcomes.confidence >= threshold  # NaN never is
    answered = np.logical_or.accumulate(sure, axis=0)
    before = np.vstack([np.zeros((1, outcomes.n), np.bool_), answered[:-1]])
    return [np.nan_to_num(own[~gone]) for own, gone in zip(outcomes.confidence, before, strict=True)]
