"""How often each symbol is expected, feature by feature: what the range coder divides its interval by.

A feature's frequencies sum to 4096. With 4 bits there are 16, one for each symbol. With 8 bits there are 17:
the second to the last stand for 16 neighbouring symbols each, whose upper four bits are the same, and the
first for what symbol 0 has beyond its neighbours, because after ReLU it is far more common. 256 separate
frequencies take 15 times the memory and do not code shorter (`python -m benchmarks.entropy`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from offramp.codec.grid import Symbols
from offramp.errors import ConfigError

TOTAL = 4096
SMOOTHING = 0.5  # added to each count: what was never seen is rare, not impossible

Frequencies = tuple[tuple[int, ...], ...]  # (n_features, n_shares)
_Integers = npt.NDArray[np.int64]


def n_shares(bits: int) -> int:
    """Frequencies of one feature."""
    return 16 if bits == 4 else 17


def total_bits(bits: int) -> int:
    """Of how many bits the sum of all single symbols' frequencies is."""
    return 12 if bits == 4 else 16


def fit_frequencies(symbols: Symbols, bits: int) -> Frequencies:
    """What these symbols (n_rows, n_features) suggest."""
    counts = np.stack([np.bincount(column, minlength=1 << bits) for column in symbols.T]).astype(np.float64)
    if bits == 8:
        groups = counts.reshape(len(counts), 16, 16).sum(2)
        zero, others = counts[:, 0], groups[:, 0] - counts[:, 0]
        extra = np.maximum(zero - others / 15, 0)  # of symbol 0 beyond its 15 neighbours
        groups[:, 0] -= extra
        counts = np.column_stack((extra, groups + SMOOTHING))
    else:
        counts += SMOOTHING
    return tuple(tuple(row) for row in _shared(counts, _least(bits)).tolist())


def check_frequencies(frequencies: Sequence[Sequence[int]], n_features: int, bits: int) -> None:
    """Raise ConfigError unless these can be the frequencies of so many features."""
    if len(frequencies) != n_features:
        raise ConfigError(f"frequencies of {len(frequencies)} features; there are {n_features}")
    least = _least(bits).tolist()
    for feature, row in enumerate(frequencies):
        if len(row) != len(least):
            raise ConfigError(f"{len(row)} frequencies of feature {feature}; {bits} bits have {len(least)}")
        if any(value < lowest for value, lowest in zip(row, least, strict=True)) or sum(row) != TOTAL:
            raise ConfigError(
                f"frequencies of feature {feature} sum to {sum(row)}, the least is {min(row)}; they sum to"
                f" {TOTAL}, and each is 1 or more" + (" but the first, which may be 0" if bits == 8 else "")
            )


def starts(frequencies: Frequencies, bits: int) -> _Integers:
    """Where each single symbol's share begins, (n_features, 2^bits + 1); the last is the sum of all."""
    table = np.array(frequencies, np.int64)
    if bits == 8:
        extra, table = table[:, 0], np.repeat(table[:, 1:], 16, axis=1)
        table[:, 0] += 16 * extra
    ends = np.cumsum(table, axis=1)
    return np.column_stack((np.zeros(len(ends), np.int64), ends))


def _least(bits: int) -> _Integers:
    least = np.ones(n_shares(bits), np.int64)
    if bits == 8:
        least[0] = 0
    return least


def _shared(counts: npt.NDArray[np.float64], least: _Integers) -> _Integers:
    """Whole numbers in proportion to counts (n_features, n_shares), from `least` on, that sum to TOTAL."""
    shares = counts / counts.sum(1, keepdims=True) * (TOTAL - least.sum())
    whole = least + np.floor(shares).astype(np.int64)
    largest = whole.argmax(1)
    whole[np.arange(len(whole)), largest] += TOTAL - whole.sum(1)
    return np.asarray(whole)
