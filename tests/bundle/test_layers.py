import msgspec
import pytest

from offramp.bundle import Layer, LinearLayer, ReluLayer, SparseLinearLayer
from offramp.bundle.layers import stored_table_dtype
from offramp.errors import PatternError

DIGEST = "0" * 64


def test_layers_are_told_apart_by_their_kind():
    layers = [SparseLinearLayer(8, 4, 2, (2, 1), True, DIGEST), LinearLayer(4, 3, False), ReluLayer()]
    data = msgspec.json.encode(layers)
    assert [layer["kind"] for layer in msgspec.json.decode(data)] == ["sparse_linear", "linear", "relu"]
    assert msgspec.json.decode(data, type=list[Layer]) == layers


@pytest.mark.parametrize("block", [(3, 1), (1, 3), (8, 1), (1, 4), (0, 1)], ids=str)
def test_a_block_that_does_not_divide_widths_and_degrees_is_refused(block):
    words = (
        f"block {block[0]}x{block[1]} in a junction of 8 inputs with out_degree 2 and 4 outputs .*all four"
    )
    with pytest.raises(PatternError, match=words):
        SparseLinearLayer(8, 4, 2, block, True, DIGEST)


def test_infeasible_degrees_are_refused_with_those_that_are_feasible():
    with pytest.raises(PatternError, match="use 4"):
        SparseLinearLayer(3, 4, 3, (1, 1), True, DIGEST)


@pytest.mark.parametrize(
    ("n_in", "block", "dtype"),
    [(256, (1, 1), "uint8"), (512, (2, 1), "uint8"), (257, (1, 1), "uint16"), (65536 * 2, (1, 1), "uint32")],
    ids=str,
)
def test_tables_are_stored_in_the_smallest_unsigned_type_that_names_every_input_block(n_in, block, dtype):
    assert stored_table_dtype(SparseLinearLayer(n_in, n_in, block[0], block, False, DIGEST)) == dtype
