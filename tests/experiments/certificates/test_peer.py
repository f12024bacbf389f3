"""MAPIE and ours on the same samples; what differs is understood."""

import warnings
from typing import Any

import numpy as np
import pytest

from offramp.exits import NEVER
from offramp.exits.guarantee import Outcomes, certify, fitting_split
from offramp.exits.guarantee.bounds import p_values
from offramp.exits.guarantee.tally import tally
from offramp.experiments.certificates.peer import PEER_METHODS, has_peer, peer_threshold
from offramp.experiments.certificates.ways import peer_pairs

pytestmark = pytest.mark.skipif(not has_peer(), reason="MAPIE is not installed")

Parts = tuple[Outcomes, Outcomes]


@pytest.fixture
def parts(population: Outcomes) -> list[Parts]:
    """Certifying and fitting samples, eight times."""
    fitting, certifying = fitting_split(3000)
    draws = [np.random.default_rng(seed).integers(0, population.n, 3000) for seed in range(8)]
    return [(population.take(one[certifying]), population.take(one[fitting])) for one in draws]


@pytest.mark.parametrize("pair", peer_pairs(), ids=lambda pair: f"{pair[0].method} {pair[0].measure}")
def test_it_takes_the_same_threshold_or_a_safer_one(parts: list[Parts], pair: Any) -> None:
    peer, ours = pair
    alike = 0
    for certifying, fitting in parts:
        theirs = peer.threshold(certifying, fitting, confidence=0.95)
        mine = ours.threshold(certifying, fitting, confidence=0.95)
        assert theirs >= mine
        alike += theirs == mine
    assert alike >= (3 if peer.measure == "exited-error" else 7)


def test_its_p_values_are_ours_or_up_to_those_of_one_error_more(parts: list[Parts]) -> None:
    """It takes n times the mean of n losses for their number, and rounds that up."""
    from mapie.risk_control import BinaryClassificationController

    certifying, _ = parts[0]
    grid = np.linspace(0, 0.95, 60)
    assert certifying.labels is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        controller = BinaryClassificationController(
            lambda confidence: np.stack([1 - confidence, confidence], axis=1),
            "precision",
            target_level=0.98,
            list_predict_params=grid,
        ).calibrate(certifying.confidence[0], (certifying.exit_labels[0] == certifying.labels).astype(int))
    counted = tally(certifying, grid[::-1], "exited-error")
    theirs = controller.p_values[::-1, 0]
    ours, one_more = (
        p_values("binomial", counted.n, counted.losses + more, 0, 0.02, delta=0.05) for more in (0, 1)
    )
    assert (theirs >= ours * (1 - 1e-6)).all()
    assert (theirs <= one_more * (1 + 1e-6)).all()
    assert np.isclose(theirs, ours, rtol=1e-6).any()
    assert (np.isclose(theirs, one_more, rtol=1e-6) & (one_more > 1.01 * ours)).any()


def test_its_holm_gives_up_where_one_threshold_has_no_answers(parts: list[Parts]) -> None:
    """The p-value of no answers is NaN there, and NumPy's argmin takes NaN for the smallest; ours is 1."""
    certifying, fitting = parts[0]
    surest = Outcomes(
        np.minimum(certifying.confidence, 0.99),
        certifying.exit_labels,
        certifying.tail_labels,
        certifying.labels,
        certifying.on_edge,
    )
    one_surer = Outcomes(
        np.where(np.arange(fitting.n) == 0, 1.0, np.minimum(fitting.confidence, 0.99)),
        fitting.exit_labels,
        fitting.tail_labels,
        fitting.labels,
        fitting.on_edge,
    )
    asked: Any = {"measure": "exited-error", "risk": 0.02, "confidence": 0.95}
    theirs = {method: peer_threshold(method, surest, one_surer, **asked) for method in PEER_METHODS}
    ours = certify(surest, one_surer, **asked, method="ltt-holm", bound="binomial")
    assert theirs["mapie bonferroni_holm"] == NEVER
    assert theirs["mapie bonferroni"] <= 1
    assert ours.threshold <= 1
