"""A range coder for short messages: 32-bit arithmetic, and no byte more at the end than the interval needs.

The message is a number in [0, 255/256), its bytes the digits behind the point; zero bytes at the end are
left out. Each symbol narrows an interval [low, low + range) by its share of the probability, and the message
is the number with the fewest bytes inside. That a first byte of 255 never occurs leaves room for an escape.

Why not a library: constriction's range coder ends on 32-bit words, so 40 features of 4 bits take 16.10 bytes
instead of 14.34, and 8 take 4.62 instead of 3.93 (`python -m benchmarks.entropy --data mnist`). Its shortest
bytes that still decode are as few as ours and have to be searched for; and its tables are made from floats,
which a microcontroller would have to repeat exactly. In C this coder is 30 lines (docs/formats/codecs.md).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from offramp.errors import WireError

FIRST_RANGE = 255 << 24
_LEAST_RANGE = 1 << 24
_WINDOW = (1 << 32) - 1
_LAST_BYTE = (1 << 24) - 1


def encode(shares: Iterable[tuple[int, int]], total_bits: int) -> bytes:
    """The shortest message for symbols with these shares.

    Args:
        shares: (start, frequency) of each symbol, out of 2^total_bits: start is the sum of all frequencies
            before its own.
        total_bits: 16 at most.
    """
    low, size = 0, FIRST_RANGE
    digits = []  # of a byte each, and what it carries to the one before
    for start, frequency in shares:
        size >>= total_bits
        low += size * start
        size *= frequency
        while size < _LEAST_RANGE:
            digits.append(low >> 24)
            low = (low << 8) & _WINDOW
            size <<= 8
    digits.append((low + _to_shortest(low, size)) >> 24)
    return _carried(digits).rstrip(b"\0")


def decode(data: bytes, starts: Sequence[Sequence[int]], total_bits: int) -> list[int]:
    """The symbols of a message, which may come from anybody.

    Args:
        data: the message, with any zero bytes at its end or none.
        starts: for each symbol the starts of all that it could be, ascending from 0, then 2^total_bits.

    Raises:
        WireError: `encode` never writes these bytes.
    """
    code, position = int.from_bytes(data[:4].ljust(4, b"\0")), 4  # code: the number, seen from low
    low, size = 0, FIRST_RANGE
    symbols = []
    for table in starts:
        size >>= total_bits
        symbol = bisect_right(table, code // size) - 1
        if symbol >= len(table) - 1:
            raise WireError("coded features leave the range that symbols share; they are damaged")
        start = table[symbol]
        code -= size * start
        low += size * start
        size *= table[symbol + 1] - start
        while size < _LEAST_RANGE:
            code = code << 8 | (data[position] if position < len(data) else 0)
            low = (low << 8) & _WINDOW
            size <<= 8
            position += 1
        symbols.append(symbol)
    if code != _to_shortest(low, size) or any(data[position:]):
        raise WireError("coded features are not in their shortest form; they are damaged")
    return symbols


def _to_shortest(low: int, size: int) -> int:
    """From low to the number in [low, low + size) that ends on the most zero bytes; size is 2^24 or more."""
    to_word = -low & _WINDOW
    return to_word if to_word < size else -low & _LAST_BYTE


def _carried(digits: list[int]) -> bytes:
    """The digits as bytes, what is above 255 carried to the digit before."""
    carry = 0
    for i in range(len(digits) - 1, -1, -1):
        carry, digits[i] = divmod(digits[i] + carry, 256)
    return bytes(digits)
