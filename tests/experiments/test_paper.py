"""The paper's tables as data."""

import pytest

from offramp.errors import ConfigError
from offramp.experiments import PAPER_ROWS, misprints, select_rows
from offramp.nn import MLP


def _numbers(text: str) -> list[int]:
    return [row.number for row in select_rows(text)]


def test_both_tables_have_five_networks_of_each_kind() -> None:
    assert [row.number for row in PAPER_ROWS] == list(range(1, 31))
    for table in (1, 2):
        kinds = [row.kind for row in PAPER_ROWS if row.table == table]
        assert kinds == ["deep", "shallow", "sparse"] * 5


@pytest.mark.parametrize("row", PAPER_ROWS, ids=lambda row: f"row {row.number}")
def test_a_row_has_the_parameters_of_the_network_that_it_names(row) -> None:  # type: ignore[no-untyped-def]
    model = MLP(row.neurons, row.out_degrees)
    assert sum(parameter.numel() for parameter in model.parameters()) == row.parameters
    assert row.is_sparse == any(n < m for n, m in zip(row.out_degrees, row.neurons[1:], strict=True))


def test_only_the_first_two_rows_are_misprinted_and_they_are_swapped() -> None:
    first, second = misprints()
    assert (first.number, second.number) == (1, 2)
    assert (first.parameters_printed, second.parameters_printed) == (2443, 2455)
    assert (first.parameters, second.parameters) == (2455, 2443)


def test_rows_are_chosen_by_number_range_kind_and_table() -> None:
    assert _numbers("1,3,5-7") == [1, 3, 5, 6, 7]
    assert _numbers("7, 3,3") == [3, 7]
    assert _numbers("sparse") == list(range(3, 31, 3))
    assert _numbers("Table1,30") == [*range(1, 16), 30]
    assert _numbers("dense,sparse") == _numbers("all") == list(range(1, 31))
    assert _numbers("deep,shallow") == _numbers("dense")


@pytest.mark.parametrize("text", ["0", "31", "7-5", "3-", "-3", "x", "", "1,,2", "1-2-3", "1.5", "²"])
def test_words_that_name_no_row_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"names no row; use numbers 1 to 30, ranges as 5-7, or all, dense"):
        select_rows(text)
