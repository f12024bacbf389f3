"""What a gateway makes of a device's bytes: whom it knows, what is asked of the tail. No line, no clock."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from offramp.bundle import Terms
from offramp.runtime.gateway.answers import GatewayTally
from offramp.wire.serial import (
    MARK_BYTES,
    NOBODY,
    Damaged,
    Hello,
    Offload,
    RawSample,
    Refusal,
    Refused,
    SerialReceiver,
    Strange,
    Verdict,
    Welcome,
    max_body_bytes,
)

_log = logging.getLogger(__name__)


class Question(NamedTuple):
    """Coded features, or a raw sample, for the tail.

    Args:
        life: of the device, which may start anew before the answer is there, with the same numbers.
    """

    life: int
    sequence: int
    values: bytes
    raw: bool


class Session:
    """The talk with one device, which may start anew at any time, be exchanged for another, or babble.

    Args:
        terms: of the bundle whose head the device has.
    """

    def __init__(self, terms: Terms, tally: GatewayTally) -> None:
        self._terms = terms
        self._tally = tally
        preprocessing = terms.preprocessing
        self._sample_bytes = int(np.prod(preprocessing.shape)) * np.dtype(preprocessing.dtype).itemsize
        self._row_bytes = terms.codec.max_bytes(terms.n_sent)
        self._own = _mark(terms.features_digest), terms.codec.name, _mark(terms.codec.digest)
        self._said = ""
        self.stranger = ""  # why the device that is there now is refused
        self.life = 0
        self._device: Hello | None = None
        self._receiver = self._fresh_receiver()

    def begin(self) -> Refusal:
        """The line was opened: what is to be sent first."""
        self.life += 1
        self._device, self.stranger = None, ""
        self._receiver = self._fresh_receiver()
        return Refusal(0, Refused.SAY_HELLO)

    def receive(self, chunk: bytes) -> Iterator[Question | Verdict | Welcome | Refusal]:
        """Questions for the tail and verdicts to tell of, and what is to be sent back, in order."""
        self._tally.add("bytes_in", len(chunk))
        self._receiver.receive(chunk)
        for event in self._receiver.events():
            match event:
                case Hello():
                    yield self._greeted(event)
                case Offload() | RawSample() | Verdict():
                    yield self._judged(event)
                case Damaged():
                    self._tally.add("damaged")
                case Strange(why):
                    self._tally.add("strange")
                    self._say(f"the device sent {why}")
                case _:  # what only a gateway says: an echo
                    self._tally.add("strange")
                    self._say("the line gives back what is written to it; switch its echo off")

    def _fresh_receiver(self) -> SerialReceiver:
        return SerialReceiver(max_body_bytes(max(self._sample_bytes, self._row_bytes)))

    def _greeted(self, hello: Hello) -> Welcome | Refusal:
        self.life += 1
        self._device, self.stranger = hello, ""
        if hello.head == NOBODY or (hello.head, hello.codec, hello.codec_digest) == self._own:
            self._say(f"{_named(hello)} is welcome")
            return Welcome()
        theirs = _described(hello.head, hello.codec, hello.codec_digest)
        self.stranger = (
            f"{_named(hello)} has {theirs}, bundle {self._terms.name} has {_described(*self._own)}; give the"
            " bundle that the device's head was exported from, or export this one's and flash it"
        )
        self._say(self.stranger)
        return Refusal(0, Refused.OTHER_HEAD)

    def _judged(self, frame: Offload | RawSample | Verdict) -> Question | Verdict | Refusal:
        why = self._refused(frame)
        if why is not None:
            self._tally.add("unreadable" if why is Refused.UNREADABLE else "unknown")
            return Refusal(frame.sequence, why)
        match frame:
            case Verdict():
                return frame
            case Offload(sequence, values) | RawSample(sequence, values):
                self._tally.add("questions")
                return Question(self.life, sequence, values, isinstance(frame, RawSample))

    def _refused(self, frame: Offload | RawSample | Verdict) -> Refused | None:
        if self._device is None:
            return Refused.SAY_HELLO
        if self.stranger or (isinstance(frame, Offload) and self._device.head == NOBODY):
            return Refused.OTHER_HEAD
        match frame:
            case Offload(_, row):
                sound = 1 <= len(row) <= self._row_bytes
            case RawSample(_, values):
                sound = len(values) == self._sample_bytes
            case Verdict(_, label, _):
                sound = label < len(self._terms.classes)
        return None if sound else Refused.UNREADABLE

    def _say(self, text: str) -> None:
        """Once, until something else is to be said: a device may repeat itself every second."""
        if text != self._said:
            self._said = text
            _log.info(text)


def _mark(digest: str) -> str:
    return digest[: 2 * MARK_BYTES] or NOBODY


def _named(hello: Hello) -> str:
    return f"device {hello.name}" if hello.name else "the device"


def _described(head: str, codec: str, codec_digest: str) -> str:
    parameters = "" if codec_digest == NOBODY else f" with parameters {codec_digest}"
    return f"head {head} and codec {codec}{parameters}"
