"""Random draws that are the same on every machine and with every NumPy.

NumPy keeps the raw words of a bit generator stable, but not what its Generator makes of them (`permutation`,
`integers`), so everything here is derived from the raw words alone.
"""

import numpy as np
from numpy.typing import NDArray

from offramp.pattern.junction import whole_number


class Stream:
    """Permutations and bounded integers from one seed (a whole number, 0 or more)."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(whole_number("seed", seed, at_least=0))

    def below(self, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each bound a number in 0..bound-1; bounds below 2**31, so the modulo's bias is below 2**-33."""
        words = self._bits.random_raw(bounds.size).reshape(bounds.shape)
        return (words % bounds.astype(np.uint64)).astype(np.int64)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """The numbers 0..n-1 in random order."""
        return self.permutations(np.zeros((1, n), dtype=np.bool_)).ravel()

    def permutations(self, late: NDArray[np.bool_]) -> NDArray[np.int64]:
        """In each row the numbers 0..n-1 in random order, those marked late after all others.

        Args:
            late: (rows, n).
        """
        rows, n = late.shape
        # The index is the low bits of its own sort key: no two keys are equal, so every sorting algorithm
        # gives the same order, and NumPy's plain sort is several times as fast as its argsort.
        index_bits = np.uint64((n - 1).bit_length())
        keys: NDArray[np.uint64] = self._bits.random_raw(late.size).reshape(rows, n)
        keys >>= index_bits + np.uint64(1)
        keys <<= index_bits
        keys |= np.arange(n, dtype=np.uint64)
        keys |= late.astype(np.uint64) << np.uint64(63)
        keys.sort(axis=1)
        keys &= (np.uint64(1) << index_bits) - np.uint64(1)
        return keys.view(np.int64)
