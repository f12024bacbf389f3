"""What the facade refuses, and what it takes as it comes."""

import subprocess
import sys

import numpy as np
import pytest

from offramp import kernels
from offramp.errors import ConfigError, PatternError
from offramp.pattern import random

PATTERN = random(12, 8, 2, seed=1)
REVERSE = PATTERN.reverse()
X = np.ones((5, 12), np.float32)
WEIGHT = np.ones((8, 3, 1), np.float32)
DY = np.ones((5, 8), np.float32)


def test_the_best_instruction_set_comes_last() -> None:
    assert kernels.available_isas()[0] == "generic"


def test_an_unknown_instruction_set_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"isa='abacus' is not to be had here; use one of generic"):
        kernels.forward(X, WEIGHT, PATTERN.table, block=(1, 1), isa="abacus")


def test_float64_is_refused_and_the_reference_named() -> None:
    with pytest.raises(PatternError, match=r"x is float64, this native kernel takes float32; .*reference"):
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
            lambda: kernels.grad_input(DY, WEIGHT, REVERSE[:6], block=(1, 1)),
            r"a reverse table of \(6, 2\) does not belong to weights of \(8, 3, 1\)",
        ),
        (
            lambda: kernels.grad_input(np.ones((5, 80), np.float32), WEIGHT, REVERSE, block=(1, 1)),
            r"dy has shape \(5, 80\), this junction needs any x 8",
        ),
        (
            lambda: kernels.forward(np.ones((5, 13), np.float32), WEIGHT, PATTERN.table, block=(1, 1)),
            "the last inputs of the junction have no edge",
        ),
        (
            lambda: kernels.forward(X, WEIGHT, PATTERN.table, block=(0, 1)),
            r"block=\(0, 1\) is no block",
        ),
        (
            lambda: kernels.forward(X, WEIGHT, PATTERN.table + 0.4, block=(1, 1)),
            "a table is float64; block numbers are uint16 or int32",
        ),
    ],
    ids=[
        *("weight", "bias", "one-dimensional", "width", "batch", "reverse"),
        *("output width", "input width", "no block", "no numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(call, message: str) -> None:
    with pytest.raises(PatternError, match=message):
        call()


@pytest.mark.parametrize("index", [-1, 12])
def test_an_index_outside_of_the_junction_never_reaches_the_kernel(index: int) -> None:
    table = PATTERN.table.astype(np.int32)
    table[3, 1] = index
    with pytest.raises(PatternError, match="outside of the junction"):
        kernels.forward(X, WEIGHT, table, block=(1, 1))
    with pytest.raises(PatternError, match="outside of the junction"):
        kernels.grad_weight(X, DY, table, block=(1, 1))
    reverse = REVERSE.astype(np.int32)
    reverse[0, 0] = index
    with pytest.raises(PatternError, match="outside of the junction"):
        kernels.grad_input(DY, WEIGHT, reverse, block=(1, 1))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_a_reverse_table_of_another_junction_is_refused(dtype: type) -> None:
    uneven = np.sort(np.where(REVERSE == 0, 1, REVERSE), axis=1)  # output 0 loses its edges to output 1
    with pytest.raises(PatternError, match="the reverse table belongs to another junction"):
        kernels.grad_input(DY, WEIGHT, uneven.astype(dtype), block=(1, 1))


@pytest.mark.parametrize("threads", [0, -1, 10**6])
def test_a_number_of_threads_that_cannot_be_is_refused(threads: int) -> None:
    with pytest.raises(ConfigError, match=rf"threads={threads} is outside 1..1024"):
        kernels.forward(X, WEIGHT, PATTERN.table, block=(1, 1), threads=threads)


def test_a_child_forked_after_threads_were_used_still_computes() -> None:
    # In a process of its own: pytest's may have threads that must not be forked.
    program = """
import os, signal
import numpy as np
from offramp import kernels
from offramp.pattern import random

pattern, x = random(12, 8, 2), np.ones((300, 12), np.float32)
weight = np.ones((8, 3, 1), np.float32)
def run(): return kernels.forward(x, weight, pattern.table, block=(1, 1), threads=2).sum()
expected = run()
child = os.fork()
if child == 0:
    signal.alarm(20)  # else a hang would outlive the test
    os._exit(0 if run() == expected else 1)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


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
