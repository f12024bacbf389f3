"""Certificates hold what they promise, checked against a population that is known exactly."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from offramp.errors import ConfigError, DataError
from offramp.exits import NEVER, ExitRule
from offramp.exits.guarantee import (
    BOUNDS,
    MEASURES,
    METHODS,
    Certificate,
    Outcomes,
    certify,
    fitting_split,
    risk_curve,
    threshold_grid,
)
from offramp.exits.guarantee.tally import tally

N_TRIALS = 80
RISK, DELTA = 0.03, 0.1

Draw = Callable[..., Outcomes]
Population = Callable[[int], Outcomes]
Certified = Callable[..., Certificate]
Trials = Callable[[int], list[tuple[Outcomes, Outcomes]]]


@pytest.fixture(scope="session")
def certified(drawn: Draw) -> Certified:
    """A certificate on n drawn samples, a fifth of them fitted on."""

    def draw(n: int = 1500, *, n_exits: int = 1, seed: int = 0, **asked: Any) -> Certificate:
        samples = drawn(n, n_exits=n_exits, seed=seed)
        fitting, certifying = fitting_split(n, seed=seed)
        settings: dict[str, Any] = {"measure": "accuracy-drop", "risk": RISK, "confidence": 1 - DELTA}
        return certify(samples.take(certifying), samples.take(fitting), **settings | asked)

    return draw


@pytest.fixture(scope="session")
def trials(drawn: Draw) -> Trials:
    """By number of exits: certifying and fitting samples, N_TRIALS times."""

    @cache
    def divided(n_exits: int) -> list[tuple[Outcomes, Outcomes]]:
        fitting, certifying = fitting_split(2000)
        samples = [drawn(2000, n_exits=n_exits, seed=seed) for seed in range(N_TRIALS)]
        return [(one.take(certifying), one.take(fitting)) for one in samples]

    return divided


def true_risk(certificate: Certificate, population: Outcomes) -> float:
    at = np.array([certificate.threshold])
    return float(np.nan_to_num(tally(population, at, certificate.measure).risk()[0]))


WAYS = [
    pytest.param(measure, method, bound, id=f"{measure} {method} {bound}")
    for measure in MEASURES
    for method in METHODS
    for bound in (BOUNDS if method in ("ltt", "ucb") else (None,))
    if not (measure == "exited-error" and method in ("ucb", "crc"))
]


@pytest.mark.parametrize(("measure", "method", "bound"), WAYS)
def test_a_promise_is_kept(
    trials: Trials, population: Population, measure: str, method: str, bound: str | None
) -> None:
    check_promise(trials, population, 1, measure, method, bound)


@pytest.mark.parametrize("method", ["ltt", "ucb", "crc"])
@pytest.mark.parametrize("measure", MEASURES)
def test_a_promise_is_kept_with_several_exits(
    trials: Trials, population: Population, measure: str, method: str
) -> None:
    if measure != "exited-error" or method == "ltt":
        check_promise(trials, population, 3, measure, method, None)


def check_promise(
    trials: Trials, population: Population, n_exits: int, measure: str, method: str, bound: str | None
) -> None:
    found = [
        certify(*parts, measure=measure, risk=RISK, confidence=1 - DELTA, method=method, bound=bound)
        for parts in trials(n_exits)
    ]
    risks = np.array([true_risk(one, population(n_exits)) for one in found])
    if method == "crc":
        assert risks.mean() <= RISK + 3 * risks.std() / N_TRIALS**0.5
    else:
        # More violations have a probability below 0.1% if their rate is delta.
        assert (risks > RISK).sum() <= binom.ppf(0.999, N_TRIALS, DELTA)
    assert np.mean([one.never for one in found]) < 0.3


def test_the_threshold_after_the_last_certified_breaks_the_promise_on_a_coarse_grid(
    trials: Trials, population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Returning the first that was not rejected is the classical mistake; this test can tell."""
    coarse = np.array([0.95, 0.8, 0.4, 0.0])
    module = sys.modules["offramp.exits.guarantee.certify"]
    monkeypatch.setattr(module, "threshold_grid", lambda fitting: coarse)
    asked: dict[str, Any] = {"measure": "accuracy-drop", "risk": RISK, "confidence": 1 - DELTA}
    found = [certify(*parts, **asked, bound="binomial") for parts in trials(1)]
    truth = tally(population(1), coarse, "accuracy-drop").risk()
    at = np.array([np.flatnonzero(coarse == one.threshold)[0] for one in found])
    assert (truth[at] > RISK).mean() <= DELTA
    assert (truth[at + 1] > RISK).mean() > 0.9


def test_an_exit_that_is_always_wrong_and_equally_sure_is_never_certified(drawn: Draw) -> None:
    samples = drawn(2000, seed=1)
    wrong = replace(
        samples,
        confidence=np.full((1, samples.n), 0.7),
        exit_labels=(samples.tail_labels[None, :] + 1) % 10,
    )
    for measure in MEASURES:
        found = certify(wrong, wrong, measure=measure, risk=0.05)
        assert found.never
        assert (found.threshold, found.exit_rate, found.empirical_risk) == (NEVER, 0, 0)
        assert found.upper_bound is None
        assert found.guarantee.startswith("No threshold could be certified")


def test_an_exit_that_is_the_tail_always_answers(drawn: Draw) -> None:
    samples = drawn(2000, seed=1)
    same = replace(samples, exit_labels=samples.tail_labels[None, :])
    for measure in ("accuracy-drop", "disagreement"):
        found = certify(same, same, measure=measure, risk=0.01)
        assert (found.threshold, found.exit_rate) == (0.0, 1.0)


def test_crc_counts_the_sample_to_come_as_a_loss() -> None:
    """Of 199 samples, (losses + 1) / 200 <= 1% allows one loss: the threshold stays above the second."""
    confidence = np.linspace(1, 0, 199)[None, :]
    wrong = np.isin(np.arange(199), [20, 150])
    labels = np.zeros(199, int)
    samples = Outcomes(confidence, wrong[None, :].astype(int), labels, labels, np.array([True]))
    found = certify(samples, samples, measure="disagreement", risk=0.01, method="crc")
    assert (found.n_losses, found.exit_rate) == (1, 150 / 199)


def test_methods_for_monotone_losses_count_the_largest_so_far(drawn: Draw) -> None:
    samples = drawn(2000, n_exits=3, seed=0)
    for measure in ("accuracy-drop", "disagreement"):
        for method in ("ucb", "crc"):
            found = certify(samples, samples, measure=measure, risk=0.04, method=method)
            grid = threshold_grid(samples)
            counted = tally(samples, grid, measure, monotone=True)
            assert found.n_losses == counted.losses[grid == found.threshold]
            assert found.n_losses > tally(samples, grid, measure).losses[grid == found.threshold]
            assert found.n_gains == 0


def test_gains_allow_more_exits_than_losses_alone(certified: Certified) -> None:
    with_gains, without = (
        np.mean([certified(3000, seed=seed, bound=bound).exit_rate for seed in range(60)])
        for bound in ("wsr", "binomial")
    )
    assert with_gains > without


def test_the_bound_is_the_better_one_by_the_fitting_samples(drawn: Draw, certified: Certified) -> None:
    """Exact where every loss counts and none is made good; with gains where there are many samples."""
    few, many = drawn(400, seed=0), drawn(20_000, seed=0)
    asked: dict[str, Any] = {"measure": "accuracy-drop", "risk": RISK}
    assert certify(few, few, **asked).bound == "binomial"
    assert certify(many, many, **asked).bound == "wsr"
    assert certify(many, few, **asked).exit_rate >= certify(many, few, **asked, bound="binomial").exit_rate
    assert certify(many, many, **asked, method="ucb").bound == "binomial"


def test_a_certificate_tells_what_it_is_of(certified: Certified, drawn: Draw) -> None:
    found = certified(2000, measure="disagreement", n_exits=2)
    samples = drawn(2000, n_exits=2, seed=0)
    certifying = samples.take(fitting_split(2000, seed=0)[1])
    by = certifying.answered_by(found.threshold)
    assert found.n == 1600
    assert found.n_fitted == 400
    assert found.exit_rate == np.mean(by >= 0)
    assert found.edge_exit_rate == np.mean(by == 0)
    system = certifying.system_labels(found.threshold)
    assert found.empirical_risk == np.mean(system != certifying.tail_labels)
    assert found.upper_bound is not None
    assert found.p_value is not None
    assert found.empirical_risk < found.upper_bound <= RISK
    assert found.p_value <= DELTA
    assert found.guarantee == (
        "With a probability of at least 90% over the draw of the 1,600 calibration samples, the share of"
        " answers that are not the tail's is at most 3% on samples from the same source."
    )


def test_evidence_is_json_and_fits_an_exit_rule(certified: Certified) -> None:
    for method in METHODS:
        found = certified(method=method)
        evidence = found.evidence()
        assert json.loads(json.dumps(evidence, allow_nan=False)) == evidence
        assert ExitRule(found.threshold, evidence=evidence).evidence["method"] == method
    assert str(certified(method="crc").guarantee).startswith("In the mean over draws of 1,200 calibration")


def test_labels_are_not_needed_to_agree_with_the_tail(drawn: Draw) -> None:
    samples = replace(drawn(2000, seed=1), labels=None)
    assert not certify(samples, samples, measure="disagreement", risk=0.02).never


@pytest.mark.parametrize(
    ("asked", "needed"),
    [
        ({"bound": "binomial"}, 299),
        ({"bound": "wsr"}, 317),
        ({}, 299),
        ({"bound": "binomial", "confidence": 0.99}, 459),
        ({"method": "crc"}, 99),
        ({"measure": "exited-error"}, 299),
    ],
    ids=["binomial", "wsr", "chosen", "99%", "crc", "exited-error"],
)
def test_too_few_samples_are_told_how_many_it_takes(drawn: Draw, asked: dict[str, Any], needed: int) -> None:
    settings: dict[str, Any] = {"measure": "accuracy-drop", "risk": 0.01, "confidence": 0.95} | asked
    perfect = replace(
        (samples := drawn(needed, seed=0)),
        exit_labels=samples.labels[None, :],
        tail_labels=samples.labels,
    )
    fitting = perfect
    assert not certify(perfect, fitting, **settings).never
    with pytest.raises(DataError) as raised:
        certify(perfect.take(np.arange(needed - 1)), fitting, **settings)
    assert str(raised.value) == (
        f"{needed - 1} samples are too few to certify {settings['measure']} of at most 0.01 with confidence"
        f" {settings['confidence']:g}: even an exit without a fault takes {needed}, beside those to fit on;"
        " give more samples, or allow more risk or less confidence"
    )


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (
            {"measure": "speed"},
            "unknown measure 'speed'; use one of accuracy-drop, exited-error, disagreement",
        ),
        ({"method": "guess"}, "unknown method 'guess'; use one of ltt, ltt-bonferroni, ltt-holm, ucb, crc"),
        ({"bound": "luck"}, "unknown bound 'luck'; use one of binomial, hoeffding-bentkus, wsr"),
        ({"risk": 0.0}, "risk=0.0; use a share between 0 and 1"),
        ({"confidence": 95}, "confidence=95; use a share between 0 and 1"),
        ({"method": "crc", "bound": "wsr"}, "method crc has no bound; leave wsr out, or use another method"),
        (
            {"measure": "exited-error", "method": "ucb"},
            "method ucb needs a risk that never falls with the threshold, which exited-error may do;"
            " use ltt, ltt-bonferroni or ltt-holm",
        ),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_what_cannot_be_asked_is_refused(certified: Certified, asked: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        certified(**asked)
    assert str(raised.value) == error


def test_a_curve_shows_risk_below_its_bound(drawn: Draw) -> None:
    samples = drawn(1500, seed=0)
    grid = threshold_grid(samples)
    for measure in MEASURES:
        curve = risk_curve(samples, grid, measure=measure, risk=0.02)
        assert (curve.risk <= curve.upper_bound).all()
        assert (np.diff(curve.exit_rate) >= 0).all()
        assert curve.exit_rate[-1] == 1
