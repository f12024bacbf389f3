"""MAPIE's risk control on the same samples: a cross-check where it covers the same case.

`BinaryClassificationController` certifies the threshold of a binary classifier. Ours is one: it says whether
the exit answers, and it is right to if that costs nothing. So exited-error is one minus its precision, and
the losses of the other two measures are a risk that one can define for it. It knows one exit and no gains.
"""

import warnings
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.exits import NEVER
from offramp.exits.guarantee import Outcomes, threshold_grid
from offramp.exits.guarantee.certify import Question
from offramp.exits.guarantee.tally import ACCURACY_DROP, DISAGREEMENT, EXITED_ERROR

# Its corrections for many thresholds, and ours that should give the same.
PEER_METHODS = {
    "mapie bonferroni": "ltt-bonferroni",
    "mapie bonferroni_holm": "ltt-holm",
    "mapie fixed_sequence": "ltt",
}


def has_peer() -> bool:
    """Whether MAPIE is installed."""
    return find_spec("mapie") is not None


def peer_version() -> dict[str, str]:
    """Its version by its name; nothing where it is not installed."""
    return {"mapie": version("mapie")} if has_peer() else {}


def peer_threshold(
    method: str, certifying: Outcomes, fitting: Outcomes, *, measure: str, risk: float, confidence: float
) -> float:
    """The threshold that MAPIE takes from the same grid on the same samples, NEVER for none.

    Args:
        method: one of PEER_METHODS.
        certifying, fitting: of one exit.
    """
    from mapie.risk_control import BinaryClassificationController  # type: ignore[import-untyped]

    thresholds = threshold_grid(fitting)
    if measure == EXITED_ERROR and method.endswith("fixed_sequence"):
        asked = Question.of(measure, risk, confidence, PEER_METHODS[method], "binomial")
        thresholds = thresholds[asked.start(fitting, thresholds, times=certifying.n / fitting.n) :]
    controller = BinaryClassificationController(
        _probabilities,
        **_risk(measure, risk),
        confidence_level=confidence,
        best_predict_param_choice="recall",  # as many exits as can be certified
        list_predict_params=thresholds[::-1],  # of equally good ones it takes the first
        fwer_method=method.removeprefix("mapie "),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that none is valid, that a risk is not quite monotone
        controller.calibrate(np.nan_to_num(certifying.confidence[0]), _costs_nothing(certifying, measure))
    found = controller.best_predict_param
    return NEVER if found is None else float(found)


def _risk(measure: str, risk: float) -> dict[str, Any]:
    from mapie.risk_control import BinaryRisk

    if measure == EXITED_ERROR:
        return {"risk": "precision", "target_level": 1 - risk}
    loss = BinaryRisk(
        risk_occurrence=lambda truth, answered: (answered == 1) & (truth == 0),
        risk_condition=lambda truth, answered: np.ones(len(truth), dtype=np.bool_),
        higher_is_better=False,
    )
    return {"risk": loss, "target_level": risk}


def _costs_nothing(outcomes: Outcomes, measure: str) -> npt.NDArray[np.int64]:
    """(n,): 1 where the exit's answer is no loss by the measure."""
    label = outcomes.exit_labels[0]
    if measure == DISAGREEMENT:
        good = label == outcomes.tail_labels
    else:
        assert outcomes.labels is not None
        good = label == outcomes.labels
        if measure == ACCURACY_DROP:
            good |= outcomes.tail_labels != outcomes.labels
    return np.asarray(good, dtype=np.int64)


def _probabilities(confidence: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, 2), as classifiers of scikit-learn give them."""
    return np.stack([1 - confidence, confidence], axis=1)
