from collections import Counter

import numpy as np
import pytest

from offramp.pattern import block, random


@pytest.mark.parametrize(
    ("junction", "n_patterns"),
    [
        pytest.param((4, 4, 1), 24, id="permutations"),
        pytest.param((4, 4, 2), 90, id="density one half: one cycle of eight edges or two of four"),
        pytest.param((3, 6, 4), 90, id="above one half: complements"),
    ],
)
def test_every_pattern_of_a_small_junction_is_equally_likely(
    junction: tuple[int, int, int], n_patterns: int
) -> None:
    expected = 20
    counts = Counter(random(*junction, seed=seed) for seed in range(expected * n_patterns))
    assert len(counts) == n_patterns
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    freedom = n_patterns - 1
    assert chi_square < freedom + 4 * (2 * freedom) ** 0.5  # mean and four standard deviations


def test_every_edge_of_a_junction_is_equally_likely() -> None:
    n_in, n_out, out_degree, n_seeds = 30, 20, 4, 500
    counts = np.zeros((n_in, n_out))
    for seed in range(n_seeds):
        inputs, outputs = random(n_in, n_out, out_degree, seed=seed).edges().T
        counts[inputs, outputs] += 1
    share = out_degree / n_out
    standard = (counts - n_seeds * share) / (n_seeds * share * (1 - share)) ** 0.5
    assert abs(standard).max() < 5
    assert 0.8 < (standard**2).mean() < 1.2


def test_two_outputs_share_as_many_inputs_as_chance_would_have_it() -> None:
    n, out_degree = 512, 32
    table = random(n, n, out_degree).table
    dense = np.zeros((n, n), dtype=np.int64)
    np.put_along_axis(dense, table, 1, axis=1)
    shared = (dense @ dense.T)[np.triu_indices(n, 1)]
    mean = out_degree * (out_degree - 1) / (n - 1)  # exact for the mean over pairs, as all inputs are alike
    assert shared.mean() == pytest.approx(mean)
    assert shared.var() == pytest.approx(mean * (1 - out_degree / n), rel=0.1)
    assert shared.max() <= 12


def test_a_block_pattern_is_a_random_pattern_of_blocks() -> None:
    blocks, neurons = block(24, 16, 8, block=(2, 4), seed=5), random(12, 4, 2, seed=5)
    assert (blocks.table == neurons.table).all()


def test_seeds_give_different_patterns() -> None:
    assert len({random(24, 16, 4, seed=seed) for seed in range(50)}) == 50
    assert random(24, 16, 4) == random(24, 16, 4, seed=0)
