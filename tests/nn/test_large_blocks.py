"""Large blocks as dense matrix products: the same numbers as an edge at a time."""

import numpy as np
import pytest
import torch

from offramp.errors import PatternError
from offramp.kernels import reference
from offramp.nn import SparseLinear, large_blocks, ops
from offramp.pattern import LARGE_BLOCK, Pattern

SIDE = LARGE_BLOCK
# Runs of neighbouring blocks, blocks apart, and both.
TABLES = {"one": [[0]], "runs": [[0, 1], [2, 3], [0, 1], [2, 3]], "mixed": [[0, 2], [1, 3], [0, 3], [1, 2]]}


def layer(table: list[list[int]]) -> SparseLinear:
    n_in = SIDE * (max(map(max, table)) + 1)
    pattern = Pattern.from_table(n_in, SIDE * len(table), np.array(table), block=(SIDE, SIDE))
    return SparseLinear(n_in, SIDE * len(table), pattern=pattern)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("batch", [0, 1, 7])
def test_a_junction_of_large_blocks_computes_as_the_reference(table: list[list[int]], batch: int) -> None:
    torch.manual_seed(0)
    made = layer(table)
    x = torch.randn(batch, made.in_features, requires_grad=True)
    dy = torch.randn(batch, made.out_features)
    y = made(x)
    y.backward(dy)
    arrays = x.detach().numpy(), made.weight.detach().numpy(), made.pattern.table
    how = {"block": made.pattern.block}
    close = {"atol": 1e-3, "rtol": 1e-4}
    want = reference.forward(*arrays, made.bias.detach().numpy(), **how)
    np.testing.assert_allclose(y.detach().numpy(), want, **close)
    want = reference.grad_input(dy.numpy(), arrays[1], made.pattern.reverse(), **how)
    np.testing.assert_allclose(x.grad.numpy(), want, **close)
    dweight, dbias = reference.grad_weight(arrays[0], dy.numpy(), arrays[2], **how)
    np.testing.assert_allclose(made.weight.grad.numpy(), dweight, **close)
    np.testing.assert_allclose(made.bias.grad.numpy(), dbias, **close)


def test_neighbouring_blocks_are_one_product() -> None:
    products = list(large_blocks._runs(torch.tensor([[0, 1, 3], [1, 2, 3]]), 256, 512))
    assert [(outputs.start, inputs.start, inputs.stop) for outputs, inputs, _ in products] == [
        (0, 0, 512),
        (0, 768, 1024),
        (512, 256, 1024),
    ]


def test_small_blocks_stay_with_the_native_kernels() -> None:
    assert large_blocks.are_large(6, SIDE, SIDE)
    assert not large_blocks.are_large(6, SIDE - 1, SIDE)
    assert not large_blocks.are_large(6, SIDE, 16)


def test_a_junction_of_one_block_is_a_dense_product_however_small() -> None:
    assert large_blocks.are_large(1, 3, 2)
    made = SparseLinear(3, 2, pattern="auto", out_degree=2)
    x = torch.randn(5, 3)
    torch.testing.assert_close(made(x), made.to_dense()(x))


def test_a_table_that_leads_out_of_the_junction_is_refused() -> None:
    made = layer([[0]])
    with pytest.raises(PatternError, match="index table points outside of the junction"):
        ops.junction(
            torch.randn(2, SIDE),
            made.weight,
            None,
            torch.ones_like(made.table),
            made.reverse_table,
            SIDE,
            SIDE,
        )
