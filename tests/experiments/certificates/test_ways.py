"""Which ways there are, and the trials that they go through."""

import numpy as np
import pytest

from offramp.exits import NEVER
from offramp.exits.guarantee import METHODS, Outcomes, certify, fitting_split
from offramp.exits.guarantee.tally import tally
from offramp.experiments.certificates import trials
from offramp.experiments.certificates import ways as ways_module
from offramp.experiments.certificates.trials import Thresholds
from offramp.experiments.certificates.ways import Way, all_ways, peer_pairs


def test_every_method_is_there_for_every_measure_that_it_is_valid_for() -> None:
    found = {(way.measure, way.method) for way in all_ways()}
    methods = {*METHODS, "empirical"}
    assert {method for measure, method in found if measure == "accuracy-drop"} == methods
    assert {method for measure, method in found if measure == "disagreement"} == methods
    assert {method for measure, method in found if measure == "exited-error"} == methods - {"ucb", "crc"}
    assert set(ways_module.METHODS) == methods
    assert len(set(all_ways())) == len(all_ways())


def test_a_way_takes_the_threshold_that_is_certified(population: Outcomes) -> None:
    samples = population.take(np.arange(3000))
    fitting, certifying = (samples.take(part) for part in fitting_split(3000))
    for way in all_ways():
        if way.method != "empirical" and way.eps == 0.01:
            found = certify(
                certifying, fitting, measure=way.measure, risk=0.01, method=way.method, bound=way.bound
            )
            assert way.threshold(certifying, fitting, confidence=0.95) == found.threshold


def test_empirical_takes_the_last_threshold_within_the_bound(population: Outcomes) -> None:
    samples = population.take(np.arange(3000))
    found = Way("accuracy-drop", "empirical", None, 0.01).threshold(samples, samples, confidence=0.95)
    risks = tally(samples, np.array([found, 0.9 * found]), "accuracy-drop").risk()
    assert risks[0] <= 0.01 < risks[1]
    # One answer of 3,000 may be wrong here, and every threshold has more.
    wrong = Outcomes(
        np.full((1, 3000), 0.5), 1 - np.zeros((1, 3000), int), np.zeros(3000, int), None, np.array([True])
    )
    assert Way("disagreement", "empirical", None, 0.001).threshold(wrong, wrong, confidence=0.9) == NEVER


def test_a_trial_depends_on_its_number_alone(
    population: Outcomes, thresholds: Thresholds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, and in however many pieces of work they are done."""
    monkeypatch.setattr(trials, "_AT_ONCE", 2)
    some = all_ways()[:4]
    more = trials.all_thresholds(
        population, some, n=3000, n_trials=5, confidence=0.9, seed=0, workers=1, progress=False
    )
    assert more[:3].tolist() == thresholds[:, :4].tolist()
    assert len(np.unique(more[:, 0])) == 5


def test_what_the_peer_covers_has_a_way_of_ours() -> None:
    assert {ours for _, ours in peer_pairs()} <= set(all_ways())
