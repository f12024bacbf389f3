"""Frames between a microcontroller and its gateway: bytes in, meaning out. The same in C lies beside it."""

from offramp.wire.serial.frames import (
    MARK_BYTES,
    NOBODY,
    SERIAL_VERSION,
    Frame,
    Hello,
    Offload,
    RawSample,
    Refusal,
    Refused,
    TailAnswer,
    Verdict,
    Welcome,
    frame_bytes,
    max_body_bytes,
)
from offramp.wire.serial.receiver import Damaged, SerialReceiver, Strange

__all__ = [
    "MARK_BYTES",
    "NOBODY",
    "SERIAL_VERSION",
    "Damaged",
    "Frame",
    "Hello",
    "Offload",
    "RawSample",
    "Refusal",
    "Refused",
    "SerialReceiver",
    "Strange",
    "TailAnswer",
    "Verdict",
    "Welcome",
    "frame_bytes",
    "max_body_bytes",
]
