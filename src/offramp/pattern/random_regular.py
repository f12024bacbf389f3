"""Random patterns with exact degrees, between neurons or between blocks.

They start from a regular pattern under random names and are mixed by switches: two edges u1-v1 and u2-v2
become u2-v1 and u1-v2, which changes no degree. So the result is exact whatever the draws, and no step is
ever retried.
"""

import numpy as np
from numpy.typing import NDArray

from offramp.pattern.junction import Junction
from offramp.pattern.pattern import Pattern, block_junction
from offramp.pattern.stream import Stream


def random(n_in: int, n_out: int, out_degree: int, *, seed: int = 0) -> Pattern:
    """A random pattern with exactly this out-degree."""
    return block(n_in, n_out, out_degree, block=(1, 1), seed=seed)


def block(n_in: int, n_out: int, out_degree: int, *, block: tuple[int, int], seed: int = 0) -> Pattern:
    """A random pattern of whole blocks, each of r neighbouring inputs × c neighbouring outputs.

    Raises:
        PatternError: r does not divide n_in and the in-degree, or c not n_out and the out-degree.
    """
    blocks = block_junction(Junction(n_in, n_out, out_degree), block)
    return Pattern.from_table(n_in, n_out, _random_table(blocks, Stream(seed)), block=block)


def _random_table(junction: Junction, stream: Stream) -> NDArray[np.int64]:
    """Distinct inputs of each output, in no order: (n_out, in_degree)."""
    n_in, n_out, out_degree = junction.n_in, junction.n_out, junction.out_degree
    if out_degree == n_out:
        return np.resize(np.arange(n_in), (n_out, n_in))
    if 2 * out_degree > n_out:
        # Here most switches would fail, and a mask of the whole junction is smaller than its edges.
        return _complement(_random_table(Junction(n_in, n_out, n_out - out_degree), stream), n_in)
    table = np.resize(stream.permutation(n_in), (n_out, junction.in_degree))
    # About (1 - density)² of the switches succeed, so in the end fewer than e^-6 of the edges never moved.
    n_rounds = -(-6 * n_out**2 // (n_out - out_degree) ** 2)
    for _ in range(n_rounds):
        table = _switched(table, stream)
    return table[stream.permutation(n_out)]


def _complement(table: NDArray[np.int64], n_in: int) -> NDArray[np.int64]:
    absent = np.ones((len(table), n_in), dtype=np.bool_)
    np.put_along_axis(absent, table, False, axis=1)
    return (np.flatnonzero(absent) % n_in).reshape(len(table), -1)


def _switched(table: NDArray[np.int64], stream: Stream) -> NDArray[np.int64]:
    """The table after every edge has tried to exchange its input with that of a random other edge."""
    first, second = np.array_split(stream.permutation(table.size), 2)
    first = first[: len(second)]
    partner = np.arange(table.size).reshape(table.shape)  # of an odd number of edges, one is its own
    partner.flat[first], partner.flat[second] = second, first
    proposed = table.ravel()[partner]
    fits = _unseen(table, proposed)
    return np.where(fits & fits.ravel()[partner], proposed, table)


def _unseen(table: NDArray[np.int64], proposed: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a proposed input is neither in its row nor proposed for it twice."""
    width = table.shape[1]
    slot_bits = (2 * width - 1).bit_length()
    keys = np.concatenate([table, proposed], axis=1)  # (n_out, 2 * in_degree)
    keys <<= slot_bits
    keys |= np.arange(2 * width)
    keys.sort(axis=1)
    inputs = keys >> slot_bits
    same_as_next = inputs[:, 1:] == inputs[:, :-1]
    seen = np.zeros(keys.shape, dtype=np.bool_)
    rows, k = np.nonzero(same_as_next)
    mask = (1 << slot_bits) - 1
    seen[rows, keys[rows, k] & mask] = True
    seen[rows, keys[rows, k + 1] & mask] = True
    return ~seen[:, width:]
