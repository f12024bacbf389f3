"""What the facade refuses, and what it takes as it comes."""

import numpy as np
import pytest

from offramp import kernels
from offramp.errors import PatternError
from offramp.pattern import random

PATTERN = random(12, 8, 2, seed=1)
REVERSE = PATTERN.reverse()
X = np.ones((5, 12), np.float32)
WEIGHT = np.ones((8, 3, 1), np.float32)
DY = np.ones((5, 8), np.float32)


def test_the_best_instruction_set_comes_last() -> None:
    assert kernels.available_isas()[0] == "generic"


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"available_isas\(\)"):
        kernels.forward(X, WEIGHT, PATTERN.table, block=(1, 1), isa="abacus")


def test_float64_is_refused_and_the_reference_named() -> None:
    with pytest.raises(PatternError, match=r"x is float64, the native kernels take float32.*reference"):
        kernels.forward(X.astype(float), WEIGHT, PATTERN.table, block=(1, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: kernels.forward(X, WEIGHT[:4], PATTERN.table, block=(1, 1)),
            r"weight has shape \(4, 3, 1\), this junction needs 8 x 3 x 1",
        ),
        (
            lambda: kernels.forward(X, WEIGHT, PATTERN.table, np.ones(7, np.float32), block=(1, 1)),
            r"bias has shape \(7,\), this junction needs 8",
        ),
        (
            lambda: kernels.forward(X[0], WEIGHT, PATTERN.table, block=(1, 1)),
            r"x has shape \(12,\), this junction needs any x any",
        ),
        (
            lambda: kernels.forward(X[:, :11], np.ones((8, 3, 2), np.float32), PATTERN.table, block=(2, 1)),
            "x has 11 columns, which blocks of 2 cannot share out",
        ),
        (
            lambda: kernels.grad_weight(X, DY[:4], PATTERN.table, block=(1, 1)),
            r"dy has shape \(4, 8\), this junction needs 5 x 8",
        ),
        (
            lambda: kernels.grad_input(DY, WEIGHT, REVERSE.table[:6], REVERSE.position, block=(1, 1)),
            r"take both from the same Pattern.reverse\(\)",
        ),
    ],
    ids=["weight", "bias", "one-dimensional", "width", "batch", "reverse"],
)
def test_arrays_that_do_not_fit_are_refused(call, message: str) -> None:
    with pytest.raises(PatternError, match=message):
        call()


@pytest.mark.parametrize("index", [-1, 12])
def test_an_index_outside_of_the_junction_never_reaches_the_kernel(index: int) -> None:
    table = PATTERN.table.copy()
    table[3, 1] = index
    with pytest.raises(IndexError, match="outside of the junction"):
        kernels.forward(X, WEIGHT, table, block=(1, 1))
    with pytest.raises(IndexError, match="outside of the junction"):
        kernels.grad_weight(X, DY, table, block=(1, 1))
    position = REVERSE.position.copy()
    position[0, 0] = 24 if index > 0 else -1
    with pytest.raises(IndexError, match="outside of the junction"):
        kernels.grad_input(DY, WEIGHT, REVERSE.table, position, block=(1, 1))


def test_non_contiguous_arrays_are_taken() -> None:
    x = np.arange(120, dtype=np.float32).reshape(12, 10).T
    have = kernels.forward(x, WEIGHT, PATTERN.table, block=(1, 1))
    np.testing.assert_array_equal(have, x[:, PATTERN.table].sum(-1))


def test_read_only_arrays_are_taken() -> None:
    x = X.copy()
    x.flags.writeable = False
    assert kernels.forward(x, WEIGHT, PATTERN.table, block=(1, 1)).shape == (5, 8)


@pytest.mark.parametrize(
    ("n_macs", "at_most", "threads"), [(0, 4, 1), (999_999, 4, 1), (2_500_000, 4, 2), (10**9, 4, 4)]
)
def test_small_work_is_worth_one_thread(n_macs: int, at_most: int, threads: int) -> None:
    assert kernels.useful_threads(n_macs, at_most=at_most) == threads
