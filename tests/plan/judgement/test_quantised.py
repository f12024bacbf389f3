"""From a float32 bundle to a quantised one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from offramp.bundle import Bundle
from offramp.codec import Grid, fit_codec
from offramp.data import samples_digest
from offramp.errors import ConfigError, InputError
from offramp.exits import NEVER, ExitRule
from offramp.exits.guarantee import fitting_split
from offramp.int8 import IntegerDevice
from offramp.plan.judgement import Goal, calibrated, evaluated, judged, quantised
from offramp.plan.judgement.fitted_grids import fitted_grids
from offramp.runtime import edge_scores


@pytest.fixture(scope="module")
def plain(network: Bundle) -> Bundle:
    """Without inner exits."""
    return replace(network, inner_exits=())


def confidences(bundle: Bundle, x: Any) -> Any:
    reference = IntegerDevice(bundle)
    return reference.rule.confidence(reference.trace(x).scores)


def test_the_threshold_is_certified_on_what_the_integer_device_says(plain: Bundle, samples: Any) -> None:
    found = quantised(plain, *samples, goal=Goal(0.05))
    assert found.calibration is not None
    certificate, quantisation = found.calibration.certificate, found.bundle.quantisation
    assert quantisation is not None
    assert quantisation.rule.threshold == certificate.threshold < 1
    assert quantisation.rule.evidence["guarantee"] == certificate.guarantee
    assert quantisation.rule.profile is not None
    rates = evaluated(IntegerDevice(found.bundle).as_bundle, *samples, int8=True)
    certifying = confidences(found.bundle, samples[0]) >= certificate.threshold
    assert rates.edge_exit_rate.value == certifying.mean()
    _, certified_on = fitting_split(2000)
    np.testing.assert_array_equal(
        found.calibration.certifying.confidence[0], confidences(found.bundle, samples[0][certified_on])
    )
    zeros = (IntegerDevice(found.bundle).inputs(samples[0]) == 0).mean()
    assert quantisation.evidence == {
        "n": 2000,
        "data_digest": samples_digest(*samples),
        "zero_inputs": pytest.approx(zeros, abs=1e-4),
    }


def test_the_float32_side_stays_as_it_was(plain: Bundle, samples: Any) -> None:
    found = quantised(plain, *samples, goal=Goal(0.05))
    assert replace(found.bundle, quantisation=None) == plain


@pytest.mark.parametrize("criterion", ["max_softmax", "margin", "entropy", "learned"])
def test_without_a_goal_it_is_that_of_the_float32_exit(plain: Bundle, samples: Any, criterion: str) -> None:
    asked = Goal(0.1, 0.9, "exited-error", "ltt-holm", "hoeffding-bentkus", criterion, 4)
    certified = calibrated(
        plain,
        *samples,
        risk=0.1,
        confidence=0.9,
        measure="exited-error",
        method="ltt-holm",
        bound="hoeffding-bentkus",
        criterion=criterion,
        seed=4,
    ).bundle
    assert Goal.of(certified.exit_rule) == asked
    own, given = quantised(certified, *samples).bundle, quantised(plain, *samples, goal=asked).bundle
    assert own.quantisation == given.quantisation
    assert own.quantisation is not None
    assert own.quantisation.rule.criterion == criterion
    assert own.quantisation.rule.temperature != 1


def test_an_empirical_threshold_stays_empirical(plain: Bundle, samples: Any) -> None:
    evidence = {"method": "empirical", "max_accuracy_drop": 0.02}
    bundle = replace(plain, exit_rule=ExitRule(0.8, "margin", evidence=evidence, temperature=2.0))
    found = quantised(bundle, *samples)
    assert found.calibration is None
    assert found.bundle.quantisation is not None
    rule = found.bundle.quantisation.rule
    assert (rule.criterion, rule.temperature) == ("margin", 2.0)
    assert (rule.evidence["method"], rule.evidence["max_accuracy_drop"]) == ("empirical", 0.02)
    sure = confidences(found.bundle, samples[0]) >= rule.threshold
    assert sure.mean() == rule.evidence["exit_rate"] > 0.1


def test_grids_reach_what_the_device_gives_and_codecs_have_their_own(plain: Bundle, samples: Any) -> None:
    found = fitted_grids(plain, samples[0])
    assert {name: [grid.n_features for grid in grids] for name, grids in found.grids.items()} == {
        "head": [24],
        "exit": [],
        "encoder": [6],
    }
    assert isinstance(found.input, Grid)
    assert found.input.n_features == 1
    sent = edge_scores(plain, samples[0])[1]
    device = IntegerDevice(replace(plain, quantisation=found))
    values = device.values(device.trace(samples[0]).sent)
    assert np.abs(values - sent).max() < 0.05 * np.abs(sent).max()
    coded = replace(plain, codec=fit_codec("int4", sent))
    assert fitted_grids(coded, samples[0]).grids["encoder"] == ()


def test_integers_say_nearly_what_floats_do(plain: Bundle, samples: Any) -> None:
    found = quantised(plain, *samples, goal=Goal(0.05)).bundle
    floats = evaluated(found, *samples)
    integers = evaluated(IntegerDevice(found).as_bundle, *samples, int8=True)
    assert abs(floats.exits[0].accuracy.value - integers.exits[0].accuracy.value) < 0.01
    assert abs(floats.tail_accuracy.value - integers.tail_accuracy.value) < 0.01


def test_unlabelled_samples_will_do_for_disagreement_only(plain: Bundle, samples: Any) -> None:
    found = quantised(plain, samples[0], goal=Goal(0.05, measure="disagreement"))
    assert found.bundle.quantisation is not None
    assert found.bundle.quantisation.rule.evidence["fitted_to"] == "the tail's answers"
    with pytest.raises(InputError, match="labels"):
        quantised(plain, samples[0])


def test_what_has_no_form_in_integers_is_refused(network: Bundle, plain: Bundle, samples: Any) -> None:
    with pytest.raises(ConfigError, match="has the inner exit exit-head-1; a device in integers knows"):
        quantised(network, *samples)
    with pytest.raises(ConfigError, match="no encoder is here; quantising takes all parts"):
        quantised(replace(plain, encoder=None), *samples)
    with pytest.raises(ConfigError, match="no samples to fit grids to"):
        quantised(plain, samples[0][:0], samples[1][:0])


def test_evidence_that_is_no_certificate_is_no_goal() -> None:
    for evidence in ({}, {"method": "ltt"}, {"method": "ltt", "risk": "small", "confidence": 0.9}):
        assert Goal.of(ExitRule(NEVER, evidence=evidence)) is None


def test_judging_in_integers_takes_the_rule_of_the_bundle_given(plain: Bundle, samples: Any) -> None:
    found = quantised(plain, *samples, goal=Goal(0.05)).bundle
    view = IntegerDevice(found).as_bundle
    np.testing.assert_array_equal(
        judged(view, *samples, int8=True).confidence[0], confidences(found, samples[0])
    )
