"""What device and gateway tell each other over a serial line. Format: docs/formats/serial.md."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from offramp.errors import WireError
from offramp.wire.report import NAME_PATTERN
from offramp.wire.serial.stuffing import stuffed

SERIAL_VERSION = 1
MARK_BYTES = 8
"""Of a digest, in a hello: they tell one head from another, and are no protection."""

NOBODY = bytes(MARK_BYTES).hex()  # where there is no head, or no parameters of a codec
MAX_HELLO_BYTES = 2 * MARK_BYTES + 1 + 255 + 100
_CHECK_BYTES = 4
_CODEC = re.compile(r"[a-z0-9-]{0,40}")
_SEQUENCE = struct.Struct("<H")
_VERDICT = struct.Struct("<HHB")
_ANSWER = struct.Struct("<HHB")
_REFUSAL = struct.Struct("<HB")

VerdictSource = Literal["exit", "local", "fallback"]
_SOURCES: tuple[VerdictSource, ...] = ("exit", "local", "fallback")


class Refused(IntEnum):
    """Why a device gets no answer, and what it does then."""

    SAY_HELLO = 1  # the gateway does not know it yet
    OTHER_HEAD = 2  # nor ever will: the gateway's bundle has another head, or another codec
    NO_ANSWER = 3  # from the tail in time: the device's own verdict stands
    BUSY = 4  # tail or gateway has too much to do: likewise, and a pause helps
    TAIL_REFUSED = 5  # the tail said no: likewise
    UNREADABLE = 6  # the device sent what its head cannot have made


@dataclass(frozen=True)
class Hello:
    """From a device: what it is. It sends nothing else before a `Welcome`.

    Args:
        head: the first 16 hex digits of the digest that an offload carries; zeros where there is no head.
        codec: name of the codec, "" for a device without a head.
        codec_digest: as in requests, zeros where the codec has none.
        name: of the device, for people; may be empty.
    """

    head: str
    codec: str
    codec_digest: str
    name: str = ""


@dataclass(frozen=True)
class Offload:
    """From a device: coded features of sample `sequence` (1 to 65,535), for the tail."""

    sequence: int
    row: bytes


@dataclass(frozen=True)
class RawSample:
    """From a device: sample `sequence` itself, for the whole network on the server."""

    sequence: int
    values: bytes


@dataclass(frozen=True)
class Verdict:
    """From a device: what it answered to a sample by itself.

    Args:
        source: an "exit" was sure; "local" has no server; "fallback" had no answer of the tail.
    """

    sequence: int
    label: int
    source: VerdictSource


@dataclass(frozen=True)
class Welcome:
    """From the gateway: this device's head is that of its bundle."""


@dataclass(frozen=True)
class TailAnswer:
    """From the gateway: the tail's class of a sample, and how sure it is, 0 to 255."""

    sequence: int
    label: int
    confidence: int


@dataclass(frozen=True)
class Refusal:
    """From the gateway: there will be no answer to a sample; 0 for none in particular."""

    sequence: int
    why: Refused


Frame = Hello | Offload | RawSample | Verdict | Welcome | TailAnswer | Refusal
_KINDS = {Hello: 1, Offload: 2, RawSample: 3, Verdict: 4, Welcome: 8, TailAnswer: 9, Refusal: 10}


def frame_bytes(frame: Frame) -> bytes:
    """What goes over the line, a zero at both ends.

    Raises:
        WireError: a value that the format has no room for.
    """
    try:
        content = _content(frame)
    except (struct.error, ValueError) as error:
        raise WireError(f"a {type(frame).__name__} that has no place in a frame: {error}") from error
    body = bytes([SERIAL_VERSION << 4 | _KINDS[type(frame)]]) + content
    return b"\0" + stuffed(body + zlib.crc32(body).to_bytes(_CHECK_BYTES, "little")) + b"\0"


def read_body(data: bytes) -> bytes | None:
    """The body of a frame that was unstuffed; None where its check is wrong."""
    body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    return body if body and zlib.crc32(body).to_bytes(_CHECK_BYTES, "little") == check else None


def read_frame(body: bytes) -> Frame:
    """The frame of a body whose check is right.

    Raises:
        WireError: another version, or nothing that this version has.
    """
    version, kind, content = body[0] >> 4, body[0] & 15, body[1:]
    if version != SERIAL_VERSION:
        raise WireError(
            f"a frame of version {version}; this offramp reads {SERIAL_VERSION}: give both sides the same"
            " version of the serial format"
        )
    try:
        return _frame(kind, content)
    except (struct.error, ValueError) as error:
        raise WireError(f"a frame of kind {kind} with {len(content)} bytes: {error}") from error


def max_body_bytes(payload_bytes: int) -> int:
    """Of a frame with check whose row or values take so many bytes; a hello fits in any case."""
    return 1 + max(_SEQUENCE.size + payload_bytes, MAX_HELLO_BYTES) + _CHECK_BYTES


def _content(frame: Frame) -> bytes:
    match frame:
        case Hello(head, codec, codec_digest, name):
            _check_hello(codec, name)
            marks = [bytes.fromhex(digest) for digest in (head, codec_digest)]
            if any(len(mark) != MARK_BYTES for mark in marks):
                raise ValueError(f"a digest is {2 * MARK_BYTES} hex digits here")
            return b"".join([*marks, bytes([len(codec)]), codec.encode(), name.encode()])
        case Offload(sequence, data) | RawSample(sequence, data):
            return _SEQUENCE.pack(sequence) + data
        case Verdict(sequence, label, source):
            return _VERDICT.pack(sequence, label, _SOURCES.index(source))
        case TailAnswer(sequence, label, confidence):
            return _ANSWER.pack(sequence, label, confidence)
        case Refusal(sequence, why):
            return _REFUSAL.pack(sequence, why)
        case Welcome():
            return b""


def _frame(kind: int, content: bytes) -> Frame:
    match kind:
        case 1:
            return _hello(content)
        case 2 | 3:
            (sequence,) = _SEQUENCE.unpack_from(content)
            return (Offload if kind == 2 else RawSample)(sequence, content[_SEQUENCE.size :])
        case 4:
            sequence, label, source = _VERDICT.unpack(content)
            if source >= len(_SOURCES):
                raise ValueError(f"source {source} is none of 0..{len(_SOURCES) - 1}")
            return Verdict(sequence, label, _SOURCES[source])
        case 8 if not content:
            return Welcome()
        case 9:
            return TailAnswer(*_ANSWER.unpack(content))
        case 10:
            sequence, code = _REFUSAL.unpack(content)
            return Refusal(sequence, Refused(code))
    raise ValueError("version 1 has none like it")


def _hello(content: bytes) -> Hello:
    fixed = 2 * MARK_BYTES
    if len(content) <= fixed:
        raise ValueError("a hello is longer")
    codec_ends = fixed + 1 + content[fixed]
    if codec_ends > len(content):
        raise ValueError("the codec's name is cut short")
    codec, name = content[fixed + 1 : codec_ends].decode("ascii"), content[codec_ends:].decode("ascii")
    _check_hello(codec, name)
    return Hello(content[:MARK_BYTES].hex(), codec, content[MARK_BYTES:fixed].hex(), name)


def _check_hello(codec: str, name: str) -> None:
    if not _CODEC.fullmatch(codec):
        raise ValueError(f"{codec[:40]!r} is no codec's name")
    if name and not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(f"{name[:40]!r} is no name: a letter or digit, then up to 99 of these and '._-'")
