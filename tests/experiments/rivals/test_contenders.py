"""What stands against what."""

from dataclasses import replace

import pytest

from offramp.errors import ConfigError
from offramp.experiments import PAPER_ROWS, PaperRow, select_rows
from offramp.experiments.rivals import METHODS, Contender, contenders

SPARSE = select_rows("sparse")


def _named(row: PaperRow) -> dict[str, Contender]:
    return {one.method: one for one in contenders(row)}


@pytest.mark.parametrize("row", SPARSE, ids=lambda row: f"row {row.number}")
def test_every_method_has_a_network_that_can_be_built_as_counted(row: PaperRow) -> None:
    found = contenders(row)
    assert [one.method for one in found] == list(METHODS)
    for one in found:
        if one.kind == "baseline":
            assert (one.neurons, one.n_edges) == (row.neurons, found[0].n_edges)
        else:
            assert sum(p.numel() for p in one.model(0).parameters()) == one.parameters


@pytest.mark.parametrize("row", SPARSE, ids=lambda row: f"row {row.number}")
def test_pooled_networks_never_have_more_parameters_than_the_row(row: PaperRow) -> None:
    found = _named(row)
    sparse, dense = found["pooled_sparse"], found["pooled_dense"]
    assert max(sparse.parameters, dense.parameters) <= row.parameters
    assert sparse.neurons[0] == dense.neurons[0] == 200
    assert len(sparse.neurons) == len(dense.neurons) == len(row.neurons)
    assert 2 * sparse.out_degrees[0] <= sparse.neurons[1]
    wider = tuple(width + 1 for width in dense.neurons[1:-1])
    neurons = (200, *wider, 10)
    assert replace(dense, neurons=neurons, out_degrees=neurons[1:]).parameters > row.parameters


def test_the_dense_rivals_are_those_of_the_group_in_the_table() -> None:
    for row in SPARSE:
        found = _named(row)
        deep, shallow = PAPER_ROWS[row.number - 3 : row.number - 1]
        assert found["deep"].neurons == deep.neurons
        assert found["shallow"].neurons == shallow.neurons


def test_the_smallest_row_is_pooled_as_stated() -> None:
    found = _named(SPARSE[0])
    assert (found["pooled_sparse"].neurons, found["pooled_sparse"].out_degrees) == (
        (200, 40, 40, 10),
        (8, 9, 10),
    )
    assert found["pooled_dense"].neurons == (200, 10, 10, 10)


def test_where_no_wider_head_fits_the_dense_one_stays() -> None:
    row = PaperRow(3, 1, "sparse", (64, 20, 20, 10), (5, 4, 10), 85.0, 650)
    assert _named(row)["pooled_sparse"].out_degrees == (20, 4, 10)


def test_a_dense_row_is_refused() -> None:
    with pytest.raises(ConfigError, match="row 1 is deep, and sparse rows are compared; its dense rows come"):
        contenders(PAPER_ROWS[0])
