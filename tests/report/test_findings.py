import msgspec
import pytest

from offramp.report import Estimate, Result, findings
from offramp.report.findings import costs_table

SPARSE = "sparse <script>alert(1)</script>"
replace = msgspec.structs.replace


def with_network(result: Result, name: str, **changes: object) -> Result:
    networks = [replace(one, **changes) if one.name == name else one for one in result.networks]
    return replace(result, networks=networks)


def with_rows(result: Result, name: str, **changes: object) -> Result:
    rows = [replace(row, **changes) if row.network == name else row for row in result.rows]
    return replace(result, rows=rows)


def accuracy(mean: float, margin: float | None) -> Estimate:
    return Estimate(mean=mean, margin=margin, values=[mean] * (1 if margin is None else 5))


def sentence(result: Result, *words: str) -> str:
    found = [one for one in findings(result) if all(word in one for word in words)]
    assert len(found) == 1, findings(result)
    return found[0]


def test_what_costs_less_is_won_and_what_costs_more_is_lost(result: Result) -> None:
    result = with_rows(result, SPARSE, head_bytes=8470, edge_macs=2469.0)
    wins, loses = sentence(result, "Against dense", "wins in"), sentence(result, "Against dense", "loses in")
    assert "head on disk (2.0 times)" in wins
    assert "multiply-adds on the device in split+exit (2.0 times)" in loses
    assert "head on disk" not in loses
    assert "multiply-adds" not in wins


def test_figures_within_a_twentieth_are_called_the_same(result: Result) -> None:
    result = with_rows(result, SPARSE, head_bytes=16_500)
    assert "head on disk" in sentence(result, "Against dense", "is within 5% in")


def test_sending_fewer_samples_is_a_win(result: Result) -> None:
    result = with_network(result, SPARSE, exit_rate=accuracy(0.935, 0.01))
    assert "samples sent in split+exit (2.0 times)" in sentence(result, "Against dense", "wins in")


def test_memory_that_is_not_known_is_neither_won_nor_lost(result: Result) -> None:
    result = with_network(result, SPARSE, peak_training_bytes=None)
    assert not any("memory" in one for one in findings(result))
    assert next(row for row in costs_table(result) if "memory" in row[0])[-1] == "–"


@pytest.mark.parametrize(
    ("theirs", "verdict"),
    [
        (0.90, "a difference of +7.00 points with ±1.41 of noise, so sparse"),
        (0.96, "a difference of +1.00 points with ±1.41 of noise, which is equal within the noise"),
        (0.99, "a difference of -2.00 points with ±1.41 of noise, so sparse"),
    ],
    ids=["better", "equal", "worse"],
)
def test_accuracies_are_held_against_the_noise_of_both(result: Result, theirs: float, verdict: str) -> None:
    result = with_network(result, "dense", system_accuracy=accuracy(theirs, 0.01))
    text = sentence(result, "Against dense, accuracy of the system on all 400 test samples")
    assert verdict in text
    assert ("is better" in text, "is worse" in text) == (theirs == 0.90, theirs == 0.99)


def test_a_single_seed_is_held_against_the_noise_of_its_samples(result: Result) -> None:
    for name in ("dense", SPARSE):
        result = with_network(result, name, system_accuracy=accuracy(0.5, None))
    assert "±6.93 of noise" in sentence(result, "Against dense, accuracy")


def test_a_dense_network_that_is_not_as_accurate_is_named_so(result: Result) -> None:
    assert "narrowest dense head that was tried" in findings(result)[0]
    choice = replace(result.choice, least_accuracy=0.958)
    assert (
        "None of the dense heads that were tried is as accurate"
        in findings(replace(result, choice=choice))[0]
    )


def test_without_a_sparse_network_there_is_nothing_to_find(result: Result) -> None:
    assert findings(with_network(result, SPARSE, head_density=1.0)) == []


def test_every_cost_stands_in_the_table_for_every_network(result: Result) -> None:
    head, *rows = costs_table(result)
    assert head == ["less is better", *(network.name for network in result.networks)]
    assert ["head on disk, bytes", "16,940", "16,940", "16,940"] in rows
    assert all(len(row) == 4 for row in rows)
