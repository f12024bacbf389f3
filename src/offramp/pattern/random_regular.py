"""Random patterns with exact degrees, between neurons or between blocks.

They start from a regular pattern under random names and are mixed by switches: two edges u1-v1 and u2-v2
become u2-v1 and u1-v2, which changes no degree. So the result is exact whatever the draws, and no step is
ever retried. A switch and the switch back are equally likely, so in the limit all patterns are, too.
"""

from typing import Any

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


def _random_table(junction: Junction, stream: Stream) -> NDArray[np.int32]:
    """Distinct inputs of each output, in no order: (n_out, in_degree)."""
    n_in, n_out, out_degree = junction.n_in, junction.n_out, junction.out_degree
    if out_degree == n_out:
        return np.resize(np.arange(n_in, dtype=np.int32), (n_out, n_in))
    if 2 * out_degree > n_out:
        # Here most switches would fail, and a mask of the whole junction is smaller than its edges.
        return _complement(_random_table(Junction(n_in, n_out, n_out - out_degree), stream), n_in)
    table = np.resize(stream.permutation(n_in).astype(np.int32), (n_out, junction.in_degree))
    # A round moves about ½·(1 - density)²·(1 - density / 2)² of the edges: in the end, e^-4 never moved.
    n_rounds = -(-32 * n_out**4 // ((n_out - out_degree) * (2 * n_out - out_degree)) ** 2)
    for _ in range(n_rounds):
        table = _switched(table, stream)
    return table[stream.permutation(n_out)]


def _complement(table: NDArray[np.int32], n_in: int) -> NDArray[np.int32]:
    absent = np.ones((len(table), n_in), dtype=np.bool_)
    np.put_along_axis(absent, table, False, axis=1)
    return (np.flatnonzero(absent) % n_in).astype(np.int32).reshape(len(table), -1)


def _switched(table: NDArray[np.int32], stream: Stream) -> NDArray[np.int32]:
    """The table after half of the edges, paired at random, have tried to exchange their inputs.

    The other half rests. Were all edges to move at once, some small patterns could never become others.
    """
    n_pairs = (table.size + 2) // 4
    first, second = stream.permutation(table.size)[: 2 * n_pairs].reshape(2, n_pairs)
    partner = np.arange(table.size, dtype=np.int32).reshape(table.shape)
    partner.flat[first], partner.flat[second] = second, first
    proposed = table.ravel()[partner]
    apart = _apart(table, proposed)
    return np.where(apart & apart.ravel()[partner], proposed, table)


def _apart(table: NDArray[np.int32], proposed: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Where both the old and the proposed input are the only ones of their kind in the row, old and proposed.

    That the old one is asked, too, makes the switch back as likely: it meets the same inputs, in other roles.
    """
    width = table.shape[1]
    slot_bits = (2 * width - 1).bit_length()
    fits = slot_bits + int(table.max()).bit_length() <= 31
    keys: NDArray[Any] = np.concatenate([table, proposed], axis=1, dtype=np.int32 if fits else np.int64)
    keys <<= slot_bits  # (n_out, 2 * in_degree)
    keys |= np.arange(2 * width, dtype=keys.dtype)
    keys.sort(axis=1)
    slots = keys & ((1 << slot_bits) - 1)
    keys >>= slot_bits  # now the inputs of each row, ascending
    twin = np.zeros(keys.shape, dtype=np.bool_)
    twin[:, 1:] = keys[:, 1:] == keys[:, :-1]
    twin[:, :-1] |= twin[:, 1:]
    lone = np.empty_like(twin)
    np.put_along_axis(lone, slots, ~twin, axis=1)
    return lone[:, :width] & lone[:, width:]
