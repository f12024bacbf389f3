"""From a float32 bundle to one that devices of integers can run too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.data import samples_digest
from offramp.exits import ExitRule
from offramp.exits.guarantee import METHODS, empirical_threshold
from offramp.int8 import IntegerDevice
from offramp.plan.judgement.calibrated import Calibration, calibrated
from offramp.plan.judgement.fitted_grids import fitted_grids
from offramp.plan.judgement.judged import judged

MAX_ACCURACY_DROP = 0.005  # of a bundle whose evidence says nothing, as in training


@dataclass(frozen=True)
class Goal:
    """What an exit's threshold is to be certified for, as `calibrated` takes it."""

    risk: float
    confidence: float = 0.95
    measure: str = "accuracy-drop"
    method: str | None = None
    bound: str | None = None
    criterion: str = "max_softmax"
    seed: int = 0

    @classmethod
    def of(cls, rule: ExitRule) -> Goal | None:
        """What a rule was certified for, by its evidence; None where it is not certified."""
        evidence = rule.evidence
        risk, confidence, seed = (evidence.get(name) for name in ("risk", "confidence", "seed"))
        measure, method, bound = (evidence.get(name) for name in ("measure", "method", "bound"))
        if method not in METHODS or not isinstance(risk, float) or not isinstance(confidence, float):
            return None
        return cls(
            risk=risk,
            confidence=confidence,
            measure=str(measure),
            method=str(method),
            bound=bound if isinstance(bound, str) else None,
            criterion=rule.criterion,
            seed=seed if isinstance(seed, int) else 0,
        )


@dataclass(frozen=True, eq=False)
class Quantised:
    """A bundle with its quantisation.

    Args:
        bundle: parts, codec and the rules of float32 exits are as they were.
        calibration: of the integer exit, None where its threshold is empirical; the bundle in it is as a
            device in integers has it.
    """

    bundle: Bundle
    calibration: Calibration | None


def quantised(
    bundle: Bundle,
    samples: npt.NDArray[Any],
    labels: npt.ArrayLike | None = None,
    *,
    goal: Goal | None = None,
    threads: int = 1,
) -> Quantised:
    """Fit grids of activations, and a rule for the integer exit, to calibration samples.

    Args:
        bundle: with all of its parts and no inner exits.
        samples, labels: as in `calibrated`; labels may be left out where the measure is disagreement.
        goal: what the threshold is certified for; by default the same as that of the float32 exit. If that
            is empirical, so is this one.

    Raises:
        ConfigError: layers or grids that have no form in integers, sums that leave 32 bits, inner exits, a
            part that is not here.
        DataError, InputError: as `calibrated`; no labels.
    """
    device = IntegerDevice(replace(bundle, quantisation=fitted_grids(bundle, samples, threads=threads)))
    rule, calibration = settled(device.as_bundle, samples, labels, goal=goal, int8=True, threads=threads)
    known = None if labels is None else np.asarray(labels)
    inputs = device.inputs(samples)[:, : bundle.preprocessing.n_values]
    evidence: Mapping[str, object] = {
        "n": len(samples),
        "data_digest": samples_digest(samples, known),
        "zero_inputs": round(float((inputs == 0).mean()), 4),  # they cost a device next to nothing
    }
    quantisation = replace(device.quantisation, rule=rule, evidence=evidence)
    return Quantised(replace(bundle, quantisation=quantisation), calibration)


def settled(
    bundle: Bundle,
    samples: npt.NDArray[Any],
    labels: npt.ArrayLike | None = None,
    *,
    goal: Goal | None = None,
    int8: bool = False,
    threads: int = 1,
) -> tuple[ExitRule, Calibration | None]:
    """The rule of the exit for a network that has changed, by the standard that it was chosen by before.

    Args:
        bundle: without inner exits; its exit's rule tells the standard.
        samples, labels: calibration samples.
        goal: the standard instead.
        int8: as in `judged`.

    Returns:
        The rule, and where it is certified the calibration; an empirical threshold is the best on the
        samples, as in training.

    Raises:
        ConfigError, DataError, InputError: as `calibrated`.
    """
    rule = bundle.exit_rule
    if goal := goal or Goal.of(rule):
        found = calibrated(bundle, samples, labels, **asdict(goal), int8=int8, threads=threads)
        return found.bundle.exit_rule, found
    drop = rule.evidence.get("max_accuracy_drop")
    threshold, evidence = empirical_threshold(
        judged(bundle, samples, labels, int8=int8, threads=threads),
        max_accuracy_drop=drop if isinstance(drop, float) else MAX_ACCURACY_DROP,
    )
    evidence["data_digest"] = samples_digest(samples, None if labels is None else np.asarray(labels))
    return replace(rule, threshold=threshold, profile=None, evidence=evidence), None
