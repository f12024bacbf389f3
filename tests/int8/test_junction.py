"""Sums of a junction: exact, and within the bound that is proved for them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.int8.networks import bundles

from offramp.int8 import IntegerDevice, IntegerJunction


@st.composite
def junctions(draw):
    """A junction of random weights, often the largest, and a limit of its inputs' symbols."""
    r, c, rows, k = (draw(st.integers(1, most)) for most in (4, 4, 3, 3))
    n_blocks = draw(st.integers(k, k + 3))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    table = np.array([rng.choice(n_blocks, k, replace=False) for _ in range(rows)]).astype(np.uint16)
    shape = rows, k, r * c
    weight = np.where(rng.random(shape) < 0.3, 127, rng.integers(-127, 128, shape)).astype(np.int8)
    bias = rng.integers(-(2**24), 2**24, rows * c).astype(np.int32)
    made = IntegerJunction(n_blocks * r, (r, c), table, weight, bias, np.ones(rows * c), None)
    return made, draw(st.sampled_from([15, 255])), rng


def naive(junction, symbols):
    """The equation of docs/formats/bundle.md, in Python's integers."""
    r, c = junction.block
    sums = [int(one) for one in junction.bias]
    for o, row in enumerate(junction.table.tolist()):
        for k, block in enumerate(row):
            for i in range(r):
                for j in range(c):
                    sums[o * c + j] += int(junction.weight[o, k, i * c + j]) * int(symbols[block * r + i])
    return sums


@given(junctions())
def test_sums_are_those_of_a_plain_loop(case):
    junction, limit, rng = case
    symbols = rng.integers(0, limit + 1, (3, junction.n_in)).astype(np.uint8)
    sums = junction.sums(symbols)
    assert sums.dtype == np.int64
    assert sums.tolist() == [naive(junction, row) for row in symbols]


@given(junctions())
def test_no_partial_sum_leaves_the_bound_and_one_output_can_reach_it(case):
    junction, limit, rng = case
    bound, reached = junction.largest_sum(limit), 0
    for o, (row, bias) in enumerate(zip(junction.rows, junction.bias.tolist(), strict=True)):
        inputs = junction.inputs[o // junction.block[1]]
        for sign in (1, -1):
            terms = row.astype(np.int64) * np.where(sign * row > 0, limit, 0)  # what drives the sum that way
            partial = bias + np.cumsum(rng.permutation(terms))
            assert np.abs(partial).max(initial=abs(bias)) <= bound
            symbols = np.zeros((1, junction.n_in), np.uint8)
            symbols[0, inputs] = np.where(sign * row > 0, limit, 0)
            assert junction.sums(symbols)[0, o] == bias + terms.sum()
            reached = max(reached, abs(bias) + abs(int(terms.sum())))
    assert reached == bound


@settings(max_examples=20)
@given(bundles())
def test_the_sums_of_a_device_stay_within_what_it_tells(bundle):
    device = IntegerDevice(bundle)
    rng = np.random.default_rng(0)
    extremes = rng.choice([0, 255], (50, device.head[0].n_in)).astype(np.uint8)
    reads = {"head": extremes}
    for junction in device.head:
        reads["exit"] = reads["encoder"] = junction(reads.get("exit", extremes))
    for name, bounds in device.largest_sums.items():
        symbols = reads[name]
        for junction, bound in zip(getattr(device, name), bounds, strict=True):
            assert np.abs(junction.sums(symbols)).max() <= bound < 2**31
            symbols = junction(symbols)
