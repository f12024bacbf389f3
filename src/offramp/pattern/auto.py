"""The block shape that computes fastest, by a table of measurements."""

from types import MappingProxyType

from offramp.pattern.full import full
from offramp.pattern.pattern import Pattern, largest_block
from offramp.pattern.random_regular import block

_SIZES = (1, 2, 4, 8, 16)

# The time of an edge over that of an edge in Torch's dense layer, one thread, 1024 -> 1024: geometric means
# over densities 1/4 and 1/16 of training (batch 256, forward and both gradients) and answering (batch 1,
# forward). Medians of three runs of `python -m benchmarks.blocks`, which prints these lines, on an Intel Xeon
# with AVX-512.
_COSTS = (  # c = 1, 2, 4, 8, 16
    (3.45, 4.18, 3.08, 2.89, 2.02),  # r = 1
    (4.45, 3.44, 2.87, 2.02, 2.09),  # r = 2
    (3.87, 3.19, 1.85, 1.96, 1.89),  # r = 4
    (3.88, 2.14, 1.96, 1.92, 1.84),  # r = 8
    (2.28, 2.28, 1.89, 1.86, 1.80),  # r = 16
)
LARGE_BLOCK = 256
"""Sides from which on a block is computed as a dense matrix product; smaller ones run below BLAS's peak."""
_TIE = 1.15  # costs closer than this are the clock's noise: the spread of repeated runs

BLOCK_COSTS = MappingProxyType(
    {(r, c): cost for r, row in zip(_SIZES, _COSTS, strict=True) for c, cost in zip(_SIZES, row, strict=True)}
)
"""(r, c) -> the time of an edge in such blocks over that of a dense edge, as measured on one machine."""


def fastest_block(n_in: int, n_out: int, out_degree: int) -> tuple[int, int]:
    """The fastest block that the degrees allow.

    In a junction at least half full it is the largest, if both its sides are `LARGE_BLOCK` or more; else one
    of `BLOCK_COSTS`. Of those within 15% of the fastest it is the smallest: finer patterns lose less
    accuracy.

    Raises:
        PatternError: the junction cannot be.
    """
    largest = largest_block(n_in, n_out, out_degree, (n_in, n_out))
    if 2 * out_degree >= n_out and min(largest) >= LARGE_BLOCK:
        return largest
    most_r, most_c = largest_block(n_in, n_out, out_degree, (_SIZES[-1], _SIZES[-1]))
    allowed = [(r, c) for r, c in BLOCK_COSTS if most_r % r == 0 and most_c % c == 0]
    good = _TIE * min(BLOCK_COSTS[shape] for shape in allowed)
    return min(
        (shape for shape in allowed if BLOCK_COSTS[shape] <= good),
        key=lambda shape: (shape[0] * shape[1], BLOCK_COSTS[shape]),
    )


def auto(n_in: int, n_out: int, out_degree: int, *, seed: int = 0) -> Pattern:
    """The pattern that computes fastest: random blocks of the `fastest_block`, or all edges as one block.

    What was fastest when this version was measured; another version may choose another block, and says so in
    the pattern's `block`.

    Raises:
        PatternError: the junction cannot be.
    """
    if out_degree == n_out:
        return full(n_in, n_out, block=(n_in, n_out))
    return block(n_in, n_out, out_degree, block=fastest_block(n_in, n_out, out_degree), seed=seed)
