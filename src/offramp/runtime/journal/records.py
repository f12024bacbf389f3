"""What a journal keeps: offloads, and what became of them."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from typing import NamedTuple

from offramp.errors import DataError

MAX_ID_CHARACTERS = 200
_MAX_LABEL = 2**31 - 1


class Verdict(NamedTuple):
    """A class number, and how sure who said it was: an exit's confidence, or the tail's largest softmax."""

    label: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample that is handed to the wire.

    Args:
        id: the caller's name for the sample, 1 to 200 characters, one of its own for each sample.
        created_s: when, by the caller's clock, in seconds since 1970.
        request: what is sent, as it is sent; the journal does not look into it.
        provisional: the exit's answer, which is given once this entry is kept.
        head_digest: of what made the features; a request of another head is not worth sending any more.

    Raises:
        DataError: an id, time, label or confidence out of range.
    """

    id: str
    created_s: float
    request: bytes
    provisional: Verdict
    head_digest: str

    def __post_init__(self) -> None:
        _check_id(self.id)
        check_verdict(self.id, self.provisional)
        if not math.isfinite(self.created_s):
            raise DataError(f"sample {self.id!r}: created_s={self.created_s}; give seconds since 1970")

    def content(self) -> bytes:
        """16 bytes that two entries share if they are the same but for their time."""
        digest = hashlib.blake2b(digest_size=16)
        for part in (self.id.encode(), self.head_digest.encode(), struct.pack("<qd", *self.provisional)):
            digest.update(struct.pack("<q", len(part)) + part)
        digest.update(self.request)
        return digest.digest()


class Pending(NamedTuple):
    """An offload without an answer, and its place in the order of appending."""

    number: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Refinement:
    """What became of an offload: the one thing that the application hears about it after its answer.

    Args:
        number: place in the order in which outcomes became known.
        id, created_s, provisional: as in the entry.
        refined: the tail's answer; None where it was given up and the provisional one stands.
        reason: why it was given up, else None.
    """

    number: int
    id: str
    created_s: float
    provisional: Verdict
    refined: Verdict | None
    reason: str | None

    @property
    def retracted(self) -> bool:
        """The tail says another class than the exit did."""
        return self.refined is not None and self.refined.label != self.provisional.label

    @property
    def final(self) -> Verdict:
        """The tail's answer, or the exit's where there will be no other."""
        return self.provisional if self.refined is None else self.refined


def _check_id(id: str) -> None:
    if not 1 <= len(id) <= MAX_ID_CHARACTERS:
        raise DataError(f"a sample id of {len(id)} characters; use 1 to {MAX_ID_CHARACTERS}")
    try:
        id.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"sample id {id!r} is no Unicode text ({error.reason}); use characters") from error


def check_verdict(id: str, verdict: Verdict) -> None:
    """Raise DataError unless a file can keep this verdict on the sample `id`."""
    if not 0 <= verdict.label <= _MAX_LABEL:
        raise DataError(f"sample {id!r}: label {verdict.label}; use a class number, 0 to {_MAX_LABEL}")
    if not math.isfinite(verdict.confidence):
        raise DataError(f"sample {id!r}: confidence {verdict.confidence}; use a finite number")
