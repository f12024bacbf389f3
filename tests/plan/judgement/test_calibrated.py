"""From calibration samples to a bundle whose exits keep a guarantee."""

from dataclasses import replace

import numpy as np
import pytest

from offramp.bundle import Bundle
from offramp.data import samples_digest
from offramp.errors import ConfigError, DataError, InputError
from offramp.exits import NEVER, ExitRule, fit_temperature, max_softmax
from offramp.exits.guarantee import certify, fitting_split
from offramp.plan.judgement import calibrated, judged, rules_of, verdicts_of, with_rules
from offramp.runtime import scores_of

Labelled = tuple[np.ndarray, np.ndarray]


def test_all_exits_get_the_one_threshold_that_was_certified(network: Bundle, samples: Labelled) -> None:
    found = calibrated(network, *samples, risk=0.05)
    rules = rules_of(found.bundle)
    assert not found.certificate.never
    assert {rule.threshold for rule in rules.values()} == {found.certificate.threshold}
    assert {rule.evidence["guarantee"] for rule in rules.values()} == {found.certificate.guarantee}
    assert found.certificate.n == 1600
    assert found.certificate.n_fitted == 400


def test_the_threshold_is_what_certify_says_of_the_outcomes_by_the_new_rules(
    network: Bundle, samples: Labelled
) -> None:
    found = calibrated(network, *samples, risk=0.05, measure="exited-error", seed=4)
    fit, certifying = fitting_split(2000, seed=4)
    outcomes = judged(found.bundle, *samples)
    expected = certify(outcomes.take(certifying), outcomes.take(fit), measure="exited-error", risk=0.05)
    assert found.certificate == expected


def test_on_the_certifying_samples_the_bundle_answers_as_certified(
    network: Bundle, samples: Labelled
) -> None:
    found = calibrated(network, *samples, risk=0.05)
    verdicts = verdicts_of(found.bundle, found.certifying)
    certificate = found.certificate
    assert verdicts.exited.mean() == pytest.approx(certificate.exit_rate)
    assert 1 - verdicts.offloaded.mean() == pytest.approx(certificate.edge_exit_rate)
    lost = verdicts.tail_right.mean() - verdicts.system_right.mean()
    assert lost == pytest.approx(certificate.empirical_risk)


def test_nothing_is_fitted_to_the_samples_that_are_certified_on(network: Bundle, samples: Labelled) -> None:
    x, y = samples
    fit, certifying = fitting_split(len(y), seed=0)
    other = y.copy()
    other[certifying] = (other[certifying] + 1) % 3
    one, two = (rules_of(calibrated(network, x, labels, risk=0.05).bundle) for labels in (y, other))
    exits = scores_of(network, x).exits
    for name, rule in one.items():
        assert rule.temperature == two[name].temperature == fit_temperature(exits[name][fit], y[fit])


@pytest.mark.parametrize("criterion", ["max_softmax", "entropy", "margin", "learned"])
def test_every_criterion_can_be_certified(network: Bundle, samples: Labelled, criterion: str) -> None:
    found = calibrated(network, *samples, risk=0.05, criterion=criterion)
    rules = rules_of(found.bundle)
    assert {rule.criterion for rule in rules.values()} == {criterion}
    assert {len(rule.weights) for rule in rules.values()} == {4 if criterion == "learned" else 0}
    assert found.certificate.exit_rate > 0


def test_the_calibration_error_is_that_of_the_certifying_samples(network: Bundle, samples: Labelled) -> None:
    found = calibrated(network, *samples, risk=0.05)
    for name, rule in rules_of(found.bundle).items():
        before, after = found.before[name], found.after[name]
        assert before.n == after.n == found.certificate.n
        assert (rule.evidence["ece_before"], rule.evidence["ece_after"]) == (before.ece, after.ece)
        assert after.ece < before.ece
        assert before.ece == pytest.approx(_ece(network, name, samples, found.certificate.n), abs=1e-12)


def _ece(network: Bundle, name: str, samples: Labelled, n: int) -> float:
    """By hand: over 15 bins, |right - confidence| summed up."""
    x, y = samples
    certifying = fitting_split(len(y), seed=0)[1]
    scores = scores_of(network, x[certifying]).exits[name]
    confidence, right = max_softmax(scores), scores.argmax(1) == y[certifying]
    bins = np.clip(np.ceil(15 * confidence) - 1, 0, 14)
    return sum(abs(right[bins == b].sum() - confidence[bins == b].sum()) for b in range(15)) / n


def test_a_profile_counts_the_samples_that_come_to_the_exit(network: Bundle, samples: Labelled) -> None:
    found = calibrated(network, *samples, risk=0.05)
    verdicts = verdicts_of(found.bundle, found.certifying)
    comes = [((verdicts.answered_by < 0) | (verdicts.answered_by >= k)).sum() for k in range(3)]
    profiles = [rule.profile for rule in rules_of(found.bundle).values()]
    assert [0 if profile is None else profile.n for profile in profiles] == comes
    assert comes[0] == 1600
    assert 0 < comes[2] < comes[1] < 1600


def test_an_exit_to_which_nothing_comes_has_no_profile(network: Bundle, samples: Labelled) -> None:
    found = calibrated(network, *samples, risk=0.9)
    assert found.certificate.threshold == 0
    first, *others = rules_of(found.bundle).values()
    assert first.profile is not None
    assert all(rule.profile is None for rule in others)


def test_the_evidence_names_data_seed_and_codec(network: Bundle, samples: Labelled) -> None:
    evidence = calibrated(network, *samples, risk=0.05, seed=7).bundle.exit_rule.evidence
    assert evidence["data_digest"] == samples_digest(*samples)
    assert (evidence["seed"], evidence["codec"], evidence["codec_digest"]) == (7, "float16", "")
    assert evidence["fitted_to"] == "labels"


def test_without_labels_disagreement_is_certified_and_nothing_else(
    network: Bundle, samples: Labelled
) -> None:
    x, _ = samples
    found = calibrated(network, x, risk=0.05, measure="disagreement")
    assert found.bundle.exit_rule.evidence["fitted_to"] == "the tail's answers"
    fit, _ = fitting_split(len(x), seed=0)
    scores = scores_of(network, x)
    expected = fit_temperature(scores.exits["exit"][fit], scores.tail.argmax(1)[fit])
    assert found.bundle.exit_rule.temperature == expected
    with pytest.raises(InputError, match="accuracy-drop needs true labels"):
        calibrated(network, x, risk=0.05)


def test_old_rules_leave_no_trace(network: Bundle, samples: Labelled) -> None:
    other = with_rules(network, dict.fromkeys(rules_of(network), ExitRule(0.5, temperature=3.0)))
    assert calibrated(other, *samples, risk=0.05).bundle == calibrated(network, *samples, risk=0.05).bundle


def test_nothing_certified_leaves_all_to_the_tail(network: Bundle, samples: Labelled) -> None:
    x, y = samples
    found = calibrated(network, x, (y + 1) % 3, risk=0.02, measure="exited-error")
    assert found.certificate.never
    assert {rule.threshold for rule in rules_of(found.bundle).values()} == {NEVER}
    profiles = [rule.profile for rule in rules_of(found.bundle).values()]
    assert [profile is not None and profile.n for profile in profiles] == [1600] * 3


def test_too_few_samples_are_refused_with_how_many_it_takes(network: Bundle, samples: Labelled) -> None:
    x, y = samples
    with pytest.raises(DataError, match=r"240 samples are too few to certify .* takes \d"):
        calibrated(network, x[:300], y[:300], risk=0.01)


def test_labels_of_other_classes_are_refused(network: Bundle, samples: Labelled) -> None:
    x, y = samples
    with pytest.raises(InputError, match=r"labels from 0 to 3; 3 classes are 0\.\.2"):
        calibrated(network, x, np.where(y == 1, 3, 0), risk=0.05)


def test_a_bundle_without_its_tail_is_refused(network: Bundle, samples: Labelled) -> None:
    device = replace(network, tail=None, inner_exits=network.exits("head"))
    with pytest.raises(ConfigError, match="has no tail here"):
        calibrated(device, *samples, risk=0.05)
