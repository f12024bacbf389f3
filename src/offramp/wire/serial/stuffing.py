"""Consistent overhead byte stuffing (Cheshire and Baker 1999): bytes without a zero among them, and back.

Each run of bytes other than zero is preceded by its length and one; a run of 254 is cut off without a zero
after it. So a zero on the line is always the end of a frame, whatever was lost before.
"""

from __future__ import annotations

_LONGEST_RUN = 254


def stuffed(data: bytes) -> bytes:
    """The bytes without zeros, one byte longer for each 254 begun."""
    out = bytearray()
    for run in data.split(b"\0"):
        while len(run) >= _LONGEST_RUN:
            out.append(_LONGEST_RUN + 1)
            out += run[:_LONGEST_RUN]
            run = run[_LONGEST_RUN:]
        out.append(len(run) + 1)
        out += run
    return bytes(out)


def unstuffed(data: bytes) -> bytes | None:
    """The bytes that were stuffed, from some without zeros; None where a run is cut short."""
    out, at = bytearray(), 0
    while at < len(data):
        length = data[at]
        at += length
        run = data[at - length + 1 : at]
        if len(run) < length - 1:
            return None
        out += run
        if length <= _LONGEST_RUN and at < len(data):
            out.append(0)
    return bytes(out)


def longest_stuffed(n_bytes: int) -> int:
    """The most that so many bytes take when they are stuffed."""
    return n_bytes + n_bytes // _LONGEST_RUN + 1
