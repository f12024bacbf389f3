"""The picture and the rows of a search, in the extremes that a search can end with."""

import csv
import io

import pytest

from offramp.search import Budget, Candidate, Entry, Found, Training
from offramp.search.figure import margin, pareto_png
from offramp.search.report import as_csv, records, train_options


def _found(*accuracies: float) -> Found:
    entries = []
    for trial, accuracy in enumerate(accuracies):
        candidate = Candidate((16, 8, 16, 10), (2, 4 * (trial % 4 + 1), 10), (2, 4), pool=2)
        entries.append(Entry(trial, candidate, {3: Training(trial, 3, accuracy, 0.5)}))
    return Found(entries[-1:], entries, None, 100)


@pytest.mark.parametrize(
    ("accuracies", "budget"),
    [
        ((1.0,), Budget(max_params=10**6)),
        ((0.0,), Budget(min_accuracy=0.5)),
        ((0.3, 0.999), Budget(max_macs=5)),
    ],
    ids=["all right", "all wrong", "several"],
)
def test_every_outcome_can_be_drawn(accuracies: tuple[float, ...], budget: Budget) -> None:
    assert pareto_png(_found(*accuracies), budget, title="a $x$ & b").startswith(b"\x89PNG")


def test_the_interval_is_that_of_the_normal_approximation() -> None:
    assert margin(0.96, 5000) == pytest.approx(0.00543, abs=1e-5)
    assert margin(1.0, 10) == 0


def test_rows_say_the_network_as_options_do() -> None:
    found = _found(0.5)
    (row,) = csv.DictReader(io.StringIO(as_csv(records(found))))
    assert (row["neurons"], row["out_degrees"]) == ("16,8,16,10", "2,4,10")
    assert (row["block"], row["blocks"], row["front"]) == ("2x4", "2x2,2x4,full", "True")
    assert train_options(found.front[0], temperature=4.0) == {
        "neurons": "16,8,16,10",
        "out-degrees": "2,4,full",
        "pattern": "block",
        "block": "2x4",
        "pool": 2,
    }


def test_rows_and_options_say_who_teaches() -> None:
    candidate = Candidate((16, 8, 10), (2, 10), distill_weight=0.9)
    entry = Entry(0, candidate, {3: Training(0, 3, 0.5, 0.5)})
    (row,) = csv.DictReader(io.StringIO(as_csv(records(Found([entry], [entry], None, 100)))))
    assert row["distill_weight"] == "0.9"
    options = train_options(entry, temperature=3.0)
    assert (options["distill"], options["distill-weight"], options["temperature"]) == (True, 0.9, 3.0)
