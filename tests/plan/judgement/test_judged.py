"""Outcomes and verdicts of a bundle with every kind of exit."""

from dataclasses import replace

import numpy as np
import pytest

from offramp.bundle import Bundle
from offramp.errors import InputError
from offramp.exits import NEVER, ExitRule
from offramp.plan.judgement import judged, rules_of, verdicts_of, with_rules
from offramp.runtime import scores_of

Labelled = tuple[np.ndarray, np.ndarray]


def test_confidences_are_those_of_each_exits_own_rule(network: Bundle, samples: Labelled) -> None:
    found, scores = judged(network, *samples), scores_of(network, samples[0])
    assert list(rules_of(network)) == list(scores.exits)
    for row, (name, rule) in enumerate(rules_of(network).items()):
        np.testing.assert_array_equal(found.confidence[row], rule.confidence(scores.exits[name]))
        np.testing.assert_array_equal(found.exit_labels[row], scores.exits[name].argmax(1))
    assert found.on_edge.tolist() == [True, True, False]
    assert found.labels is not None
    np.testing.assert_array_equal(found.labels, samples[1])


def test_samples_may_come_without_labels(network: Bundle, samples: Labelled) -> None:
    found = judged(network, samples[0])
    assert found.labels is None
    with pytest.raises(InputError, match="samples without labels; who is right is known of labelled"):
        verdicts_of(network, found)


def test_labels_belong_to_the_samples(network: Bundle, samples: Labelled) -> None:
    with pytest.raises(InputError, match=r"labels: int64 \(3,\); give class numbers \(2000,\)"):
        judged(network, samples[0], samples[1][:3])


def test_the_first_exit_that_is_sure_by_its_own_threshold_answers(network: Bundle, samples: Labelled) -> None:
    rules = {
        "exit-head-1": ExitRule(0.95),
        "exit": ExitRule(0.7),
        "exit-tail-2": ExitRule(0.9),
    }
    bundle = with_rules(network, rules)
    assert rules_of(bundle) == rules
    found = judged(bundle, *samples)
    verdicts = verdicts_of(bundle, found)
    by = []
    for i in range(found.n):
        sure = [k for k, rule in enumerate(rules.values()) if found.confidence[k, i] >= rule.threshold]
        by.append(sure[0] if sure else -1)
    assert set(by) == {-1, 0, 1, 2}  # else little would be shown
    assert verdicts.answered_by.tolist() == by
    expected = [
        (found.tail_labels[i] if k < 0 else found.exit_labels[k, i]) == samples[1][i]
        for i, k in enumerate(by)
    ]
    assert verdicts.system_right.tolist() == expected
    assert verdicts.offloaded.tolist() == [k in (-1, 2) for k in by]
    assert verdicts.exited.tolist() == [k >= 0 for k in by]
    assert verdicts.at_cut == 1


def test_exits_that_never_answer_leave_all_to_the_tail(network: Bundle, samples: Labelled) -> None:
    silent = with_rules(network, dict.fromkeys(rules_of(network), ExitRule(NEVER)))
    verdicts = verdicts_of(silent, judged(silent, *samples))
    assert verdicts.offloaded.all()
    np.testing.assert_array_equal(verdicts.system_right, verdicts.tail_right)


def test_an_exit_that_overflows_is_not_sure_even_at_a_threshold_of_zero(
    network: Bundle, samples: Labelled
) -> None:
    always = with_rules(network, dict.fromkeys(rules_of(network), ExitRule(0.0)))
    found = judged(always, *samples)
    holed = found.confidence.copy()
    holed[0, 0] = np.nan
    verdicts = verdicts_of(always, replace(found, confidence=holed))
    assert verdicts.answered_by[:2].tolist() == [1, 0]
