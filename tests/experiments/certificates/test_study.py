"""Violations counted, and what they say about a promise."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from offramp.exits import NEVER
from offramp.exits.guarantee import Outcomes
from offramp.exits.guarantee.tally import tally
from offramp.experiments.certificates import Row, Study, Way
from offramp.experiments.certificates.study import beside, clopper_pearson, rows_of

WAY = Way("accuracy-drop", "ltt", "binomial", 0.01)


def row(violations: int, *, trials: int = 1000, risk_mean: float = 0.005, way: Way = WAY) -> Row:
    return Row(
        way,
        delta=0.05,
        trials=trials,
        violations=violations,
        never=0,
        exit_rate_mean=0.5,
        risk_mean=risk_mean,
        risk_margin=0.0004,
    )


def test_risk_and_exits_are_those_of_the_population(population: Outcomes) -> None:
    taken = np.array([[0.95], [0.6], [NEVER], [0.6], [0.6]])
    (found,) = rows_of(population, [WAY], taken, confidence=0.9)
    counted = tally(population, np.array([0.95, 0.6]), "accuracy-drop")
    high, low = counted.risk()
    assert high <= 0.01 < low
    assert (found.trials, found.violations, found.never, found.delta) == (5, 3, 1, 0.1)
    assert found.risk_mean == pytest.approx((high + 3 * low) / 5)
    exits = counted.answered / population.n
    assert found.exit_rate_mean == pytest.approx((exits[0] + 3 * exits[1]) / 5)


def test_the_interval_of_a_share() -> None:
    assert clopper_pearson(0, 10) == pytest.approx((0, 1 - 0.025 ** (1 / 10)))
    assert clopper_pearson(10, 10) == pytest.approx((0.025 ** (1 / 10), 1))
    assert clopper_pearson(5, 10) == pytest.approx((0.18709, 0.81291), abs=1e-5)


@pytest.mark.parametrize(
    ("one", "kept"),
    [
        (row(50), True),
        (row(60), True),  # as likely as not by chance
        (row(80), False),
        (row(900, way=replace(WAY, method="crc", bound=None)), True),
        (row(0, way=replace(WAY, method="crc", bound=None), risk_mean=0.0105), False),
        (row(900, way=replace(WAY, method="empirical", bound=None)), True),
    ],
    ids=["at delta", "just above", "far above", "mean kept", "mean broken", "no promise"],
)
def test_a_promise_is_judged_by_what_it_promises(one: Row, kept: bool) -> None:
    assert one.kept == kept


def test_the_peer_is_compared_trial_by_trial() -> None:
    theirs, ours = np.array([0.5, 0.6, 0.4, NEVER, NEVER]), np.array([0.5, 0.5, 0.5, 0.5, NEVER])
    found = beside(row(0), row(0), theirs, ours)
    assert (found.alike, found.fewer, found.more, found.gave_up) == (2, 2, 1, 1)


def test_json_has_the_rows_that_promise_a_probability(study: Study) -> None:
    content = json.loads(study.json())
    assert {one["method"] for one in content["rows"]} == {"ltt", "ltt-bonferroni", "ltt-holm", "ucb"}
    assert {one["method"] for one in content["in_the_mean"]} == {"crc"}
    assert {one["method"] for one in content["without_promise"]} == {"empirical"}
    for one in content["rows"]:
        assert {"method", "measure", "eps", "delta", "trials", "violations", "exit_rate_mean"} <= set(one)
        assert (one["delta"], one["trials"]) == (0.1, 3)


def test_csv_has_every_row(study: Study) -> None:
    lines = list(csv.DictReader(study.csv().splitlines()))
    assert len(lines) == len(study.rows) + len(study.peers)
    assert lines[0]["measure"] == "accuracy-drop"
    assert float(lines[0]["exit_rate_mean"]) == study.rows[0].exit_rate_mean


def test_a_row_is_found_by_its_name(study: Study) -> None:
    assert study.row("exited-error", "ltt binomial", 0.01).way == replace(WAY, measure="exited-error")
