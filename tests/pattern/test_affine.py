from math import gcd

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from offramp.pattern import Junction, affine


@given(junction=st.from_type(Junction).filter(lambda j: j.n_in <= 48), seed=st.integers(0, 2**64))
def test_some_multiplier_and_offset_give_all_edges(junction: Junction, seed: int) -> None:
    n = junction.n_in
    pattern = affine(n, junction.n_out, junction.out_degree, seed=seed)
    edges = np.arange(junction.n_edges).reshape(pattern.table.shape)
    assert any(
        (np.sort((a * edges + b) % n, axis=1) == pattern.table).all()
        for a in range(n)
        if gcd(a, n) == 1
        for b in pattern.table[0]
    )


def test_the_inputs_of_an_output_are_spread_over_all_inputs() -> None:
    for seed in range(20):
        pattern = affine(1024, 1024, 8, seed=seed)
        steps = np.diff(pattern.table, axis=1)
        assert steps.min() >= 40  # 8 inputs of 1024 are 128 apart at best, 1 apart at worst


def test_seeds_give_different_patterns() -> None:
    assert len({affine(64, 32, 8, seed=seed) for seed in range(20)}) > 15
