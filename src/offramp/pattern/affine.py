"""Index-free patterns: a formula says where each edge comes from."""

from math import gcd

import numpy as np

from offramp.pattern.junction import Junction
from offramp.pattern.pattern import Pattern, block_junction
from offramp.pattern.stream import Stream

_CANDIDATES = 16


def affine(
    n_in: int, n_out: int, out_degree: int, *, block: tuple[int, int] = (1, 1), seed: int = 0
) -> Pattern:
    """The pattern whose edge e joins input block (a·e + b) mod n to output block e // in-degree.

    Here n and the in-degree count blocks; a (coprime to n) and b come from the seed. Any n consecutive edges
    differ, so the pattern is exact for all degrees.
    """
    blocks = block_junction(Junction(n_in, n_out, out_degree), block)
    n = blocks.n_in
    stream = Stream(seed)
    offset, *starts = stream.below(np.full(1 + _CANDIDATES, n)).tolist()
    # The inputs of an output are offset + a·k for consecutive k: the best multiplier keeps them apart.
    multiplier = max((_coprime(start, n) for start in starts), key=lambda a: _gap(a, n, blocks.in_degree))
    edges = np.arange(blocks.n_edges, dtype=np.int64).reshape(blocks.n_out, blocks.in_degree)
    return Pattern.from_table(n_in, n_out, (multiplier * edges + offset) % n, block=block)


def _coprime(start: int, n: int) -> int:
    """The first number from start on, modulo n, that is coprime to n."""
    return next(a % n for a in range(start, start + n) if gcd(a, n) == 1)


def _gap(multiplier: int, n: int, count: int) -> int:
    """The smallest distance on the circle of n between two of count consecutive multiples."""
    multiples = multiplier * np.arange(1, count, dtype=np.int64) % n
    return int(np.minimum(multiples, n - multiples).min(initial=n))
