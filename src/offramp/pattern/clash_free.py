"""Clash-free patterns: z memories deliver one input neuron each in every cycle (arXiv:1812.01164).

Input a·z + m is at address a of memory m, whose depth is n_in / z. One sweep reads every input once, in
cycles of z edges; out_degree sweeps give all edges, and edge e belongs to output e // in_degree. In types 1
and 2 sweeps differ, so an output with edges from two sweeps could meet the same input in both. That is made
impossible, not repaired: what opens a sweep is drawn from what the output has not read yet.
"""

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from offramp.errors import PatternError
from offramp.pattern.junction import Junction, either, whole_number
from offramp.pattern.pattern import Pattern, block_junction, divisors
from offramp.pattern.stream import Stream

Numbers = NDArray[np.int64]

CLASH_FREE_TYPES = (1, 2, 3)


def clash_free(
    n_in: int,
    n_out: int,
    out_degree: int,
    *,
    type: int = 1,
    z: int | None = None,
    dither: bool = False,
    seed: int = 0,
) -> Pattern:
    """A pattern that hardware with z single-port memories can read without a clash.

    Args:
        type: 1, each memory is read in random order, drawn for each sweep; 2, in cyclic order from a random
            address, drawn for each sweep; 3, as 2, but drawn once.
        z: memories, a divisor of n_in; by default the largest one up to √n_in.
        dither: visit the memories in random order instead of 0..z-1, drawn as often as the addresses are.

    Raises:
        PatternError: the degrees, the type or z cannot be.

    Source: arXiv:1812.01164 for the types; for an output that straddles two sweeps, this module.
    """
    junction = Junction(n_in, n_out, out_degree)
    block_junction(junction, (1, 1))  # raises where there are too many edges to number
    if type not in CLASH_FREE_TYPES:
        raise PatternError(f"type={type!r} is no clash-free type; use {either(CLASH_FREE_TYPES)}")
    z = _default_z(junction.n_in) if z is None else whole_number("z", z)
    if junction.n_in % z:
        raise PatternError(
            f"z={z} memories cannot share n_in={junction.n_in} inputs equally;"
            f" use z = {either(divisors(junction.n_in))}"
        )
    sweeps = _sweeps(junction, type, z, dither, Stream(seed))
    return Pattern.from_table(n_in, n_out, sweeps.reshape(junction.n_out, junction.in_degree))


def _default_z(n_in: int) -> int:
    return max(d for d in divisors(n_in) if d <= isqrt(n_in))


def _sweeps(junction: Junction, type: int, z: int, dither: bool, stream: Stream) -> Numbers:
    """The inputs in the order they are read: (sweep, cycle, lane)."""
    depth = junction.n_in // z
    sweeps = np.empty((junction.out_degree, depth, z), dtype=np.int64)
    order, addresses = np.arange(z), np.empty(0, dtype=np.int64)
    for s in range(junction.out_degree):
        # The output that straddles the start of this sweep has `before` edges and needs `after` more.
        before = s * junction.n_in % junction.in_degree
        after = junction.in_degree - before if before else 0
        last = _reads(order[::-1], before)
        if dither:
            order = _order(order, before, after, depth, stream)
        first = _reads(order, after)
        if type == 1:
            addresses = _shuffled(addresses, last, first, (z, depth), stream)
        else:
            addresses = _rotated(addresses, last, first, (z, depth), stream)
        sweeps[s] = (addresses[order] * z + order[:, None]).T
        if type == 3:
            sweeps[:] = sweeps[0]  # period n_in, so any in_degree <= n_in consecutive edges differ
            break
    return sweeps


def _reads(order: Numbers, n_edges: int) -> Numbers:
    """How often each memory is read by the first edges of a sweep in this order: (z,)."""
    full_cycles, rest = divmod(n_edges, len(order))
    reads = np.full(len(order), full_cycles)
    reads[order[:rest]] += 1
    return reads


def _order(previous: Numbers, before: int, after: int, depth: int, stream: Stream) -> Numbers:
    """A random order of the memories in which no memory needs more reads for one output than it is deep."""
    z = len(previous)
    (cycles_before, rest_before), (cycles_after, rest_after) = divmod(before, z), divmod(after, z)
    if cycles_before + cycles_after < depth - 1:
        return stream.permutation(z)
    # Whole cycles leave each memory at most one address, so no memory may be in the rest before and after.
    used = np.zeros((1, z), dtype=np.bool_)
    used[0, previous[z - rest_before :]] = True
    order = stream.permutations(late=used).ravel()
    order[rest_after:] = order[rest_after:][stream.permutation(z - rest_after)]
    return order


def _shuffled(
    previous: Numbers, last: Numbers, first: Numbers, shape: tuple[int, int], stream: Stream
) -> Numbers:
    """Addresses (z, depth) in random order; each memory's first avoid its last of the sweep before."""
    if not last.any():
        return stream.permutations(late=np.zeros(shape, dtype=np.bool_))
    cycle = np.arange(shape[1])
    used = np.empty(shape, dtype=np.bool_)
    np.put_along_axis(used, previous, cycle >= shape[1] - last[:, None], axis=1)
    unused_first = stream.permutations(late=used)
    # Only what opens the sweep had to be chosen: the addresses after it are shuffled again.
    again = stream.permutations(late=cycle >= first[:, None])
    return np.take_along_axis(unused_first, again, axis=1)


def _rotated(
    previous: Numbers, last: Numbers, first: Numbers, shape: tuple[int, int], stream: Stream
) -> Numbers:
    """Addresses (z, depth) in cyclic order; each memory's first avoid its last of the sweep before."""
    z, depth = shape
    start = previous[:, 0] if previous.size else np.zeros(z, dtype=np.int64)
    # The last reads are just below the old start on the circle; the first ones fit in what remains above it.
    free = np.where((last > 0) & (first > 0), depth - last - first + 1, depth)
    return ((start + stream.below(free))[:, None] + np.arange(depth)) % depth
