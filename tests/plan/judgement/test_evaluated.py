"""What a bundle is worth on samples it was neither trained nor calibrated on."""

import numpy as np
import pytest

from offramp.bundle import Bundle
from offramp.errors import InputError
from offramp.exits import NEVER, ExitRule, max_softmax
from offramp.exits.guarantee import MEASURES
from offramp.exits.guarantee.tally import tally
from offramp.plan.judgement import (
    Evaluation,
    calibrated,
    difference,
    evaluated,
    judged,
    rules_of,
    share,
    sweep,
    with_rules,
)
from offramp.runtime import scores_of

Labelled = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def exiting(network: Bundle, samples: Labelled) -> Bundle:
    x, y = samples
    return calibrated(network, x[:1000], y[:1000], risk=0.08).bundle


@pytest.fixture(scope="module")
def found(exiting: Bundle, samples: Labelled) -> Evaluation:
    x, y = samples
    return evaluated(exiting, x[1000:], y[1000:])


def test_every_exit_is_judged_alone_and_by_what_it_answers(
    exiting: Bundle, samples: Labelled, found: Evaluation
) -> None:
    x, y = samples
    outcomes = judged(exiting, x[1000:], y[1000:])
    by = outcomes.answered_by(exiting.exit_rule.threshold)
    for k, one in enumerate(found.exits):
        right = outcomes.exit_labels[k] == y[1000:]
        assert one.accuracy == share(right)
        assert one.answers == share(by == k)
        assert one.accuracy_of_answers == share(right[by == k])
    assert [(one.name, one.on_edge) for one in found.exits] == [
        ("exit-head-1", True),
        ("exit", True),
        ("exit-tail-2", False),
    ]
    assert {one.name: one.rule for one in found.exits} == rules_of(exiting)
    assert min(one.answers.value for one in found.exits) > 0  # else little would be shown


def test_the_whole_is_what_its_answerers_say(exiting: Bundle, samples: Labelled, found: Evaluation) -> None:
    x, y = samples
    outcomes = judged(exiting, x[1000:], y[1000:])
    threshold = exiting.exit_rule.threshold
    by = outcomes.answered_by(threshold)
    assert found.n == 1000
    assert found.system_accuracy == share(outcomes.system_labels(threshold) == y[1000:])
    assert found.tail_accuracy == share(outcomes.tail_labels == y[1000:])
    assert found.exit_rate == share(by >= 0)
    assert found.edge_exit_rate == share((by == 0) | (by == 1))


def test_risks_are_those_that_certify_counts(exiting: Bundle, samples: Labelled, found: Evaluation) -> None:
    x, y = samples
    outcomes = judged(exiting, x[1000:], y[1000:])
    at = np.array([exiting.exit_rule.threshold])
    assert tuple(found.risks) == MEASURES
    for measure, risk in found.risks.items():
        assert risk.value == pytest.approx(tally(outcomes, at, measure).risk()[0])
        assert risk.low < risk.value < risk.high


def test_an_exit_claims_by_its_fitted_temperature_or_learned_score(
    network: Bundle, samples: Labelled
) -> None:
    x, y = samples
    scores = scores_of(network, x).exits["exit"]
    for criterion in ("entropy", "learned"):
        bundle = calibrated(network, x, y, risk=0.05, criterion=criterion).bundle
        rule = bundle.exit_rule
        claims = rule.confidence(scores) if criterion == "learned" else max_softmax(scores, rule.temperature)
        one = evaluated(bundle, x, y).exits[1].reliability
        mean = sum(n * c for n, c in zip(one.counts, one.confidence, strict=True) if c is not None) / one.n
        assert mean == pytest.approx(claims.mean())


def test_exits_that_never_answer_risk_nothing(network: Bundle, samples: Labelled) -> None:
    silent = with_rules(network, dict.fromkeys(rules_of(network), ExitRule(NEVER)))
    found = evaluated(silent, *samples)
    assert [risk.value for risk in found.risks.values()] == [0, 0, 0]
    assert found.system_accuracy == found.tail_accuracy
    assert found.exit_rate.value == found.edge_exit_rate.value == 0


def test_a_sweep_tells_what_each_threshold_gives(exiting: Bundle, samples: Labelled) -> None:
    outcomes = judged(exiting, *samples)
    thresholds = np.array([1.1, 0.9, 0.5, 0.0])
    found = sweep(outcomes, thresholds)
    for i, threshold in enumerate(thresholds):
        bundle = with_rules(
            exiting,
            {name: ExitRule(threshold, temperature=r.temperature) for name, r in rules_of(exiting).items()},
        )
        one = evaluated(bundle, *samples)
        assert found.accuracy[i] == one.system_accuracy.value
        assert found.exit_rate[i] == one.exit_rate.value
        assert found.edge_exit_rate[i] == one.edge_exit_rate.value
    assert found.exit_rate.tolist()[0] == 0
    assert found.edge_exit_rate.tolist()[-1] == 1


def test_a_sweep_needs_labels(exiting: Bundle, samples: Labelled) -> None:
    with pytest.raises(InputError, match="samples without labels"):
        sweep(judged(exiting, samples[0]), np.array([0.5]))


def test_the_drop_is_paired(exiting: Bundle, samples: Labelled, found: Evaluation) -> None:
    verdicts = found.verdicts
    assert found.risks["accuracy-drop"] == difference(verdicts.tail_right, verdicts.system_right)
