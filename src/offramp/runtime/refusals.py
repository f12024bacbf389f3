"""What a caller gets to know of a request that failed: a status and a line, and no internals."""

from __future__ import annotations

import logging
from typing import NamedTuple

import grpc

from offramp.errors import InputError, OfframpError, WireError

logger = logging.getLogger(__name__)

_MAX_DETAILS = 500  # characters: a message may quote what the client sent, and travels as a header


class RefusalError(Exception):
    """A request that is refused with this status."""

    def __init__(self, status: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.status = status


class Refused(NamedTuple):
    """What the caller gets in place of an answer."""

    status: grpc.StatusCode
    message: str


def told(error: Exception) -> Refused:
    """What the caller gets; our own bugs go to the log."""
    if isinstance(error, RefusalError):
        status, message = error.status, str(error)
    elif isinstance(error, WireError | InputError):
        status, message = grpc.StatusCode.INVALID_ARGUMENT, str(error)
    elif isinstance(error, OfframpError):
        status, message = grpc.StatusCode.INTERNAL, str(error)
    else:  # our own bug: its text is for the log, not for the network
        logger.error("a call failed", exc_info=error)
        status, message = grpc.StatusCode.INTERNAL, "the server failed; its log says why"
    return Refused(status, message[:_MAX_DETAILS])
