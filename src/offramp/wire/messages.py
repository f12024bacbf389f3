"""Protobuf messages to bytes, and hostile bytes to protobuf messages."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from offramp.errors import WireError

M = TypeVar("M", bound=Message)


def serialize(message: Message) -> bytes:
    """The bytes of a message."""
    data: bytes = message.SerializeToString()
    return data


def parse(message_type: type[M], data: bytes) -> M:
    """The message in `data`.

    Raises:
        WireError: the bytes are not such a message.
    """
    try:
        message: M = message_type.FromString(data)
    except DecodeError as error:
        raise WireError(f"{len(data)} bytes that are no {message_type.__name__}") from error
    return message
