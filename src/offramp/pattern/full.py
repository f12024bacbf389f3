"""The pattern with every edge."""

import numpy as np

from offramp.pattern.junction import Junction
from offramp.pattern.pattern import Pattern, block_junction


def full(n_in: int, n_out: int, *, block: tuple[int, int] = (1, 1)) -> Pattern:
    """The pattern with every edge: out_degree = n_out, density 1."""
    blocks = block_junction(Junction(n_in, n_out, n_out), block)
    row = np.arange(blocks.n_in)
    return Pattern.from_table(n_in, n_out, np.broadcast_to(row, (blocks.n_out, blocks.n_in)), block=block)
