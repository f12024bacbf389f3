"""The errors of offramp: one base, and who is at fault.

A message shows the value, the rule and the way out, in one line.
"""


class OfframpError(Exception):
    """Base of every error that offramp raises on purpose."""


class InputError(OfframpError):
    """The caller gave something that cannot be used."""


class PatternError(InputError):
    """A junction or a pattern that cannot exist, or does not fit its weights."""


class DataError(InputError):
    """A data set, file or sample that cannot be used."""


class BundleError(InputError):
    """A bundle on disk that is missing, damaged, altered or of another format."""


class ConfigError(InputError):
    """A setting outside its range, or two settings that exclude one another."""


class MissingDependencyError(InputError):
    """An optional package that this call needs is not installed."""


class PeerError(OfframpError):
    """The other side of the wire is at fault, or is not there."""


class WireError(PeerError):
    """A message or a coded feature that breaks the protocol."""


class TailUnreachableError(PeerError):
    """No answer from the tail within the deadline."""


class LineLostError(PeerError):
    """The serial port is not there, or no longer."""


class TailRefusedError(PeerError):
    """The tail answered with an error.

    Args:
        status: the name of its gRPC status; "" where the connection was refused.
    """

    def __init__(self, message: str, *, status: str = "") -> None:
        super().__init__(message)
        self.status = status


class TailBusyError(TailRefusedError):
    """The tail has too much to do now; later it may take the same request."""


class JournalError(OfframpError):
    """The journal of this device cannot be used: disk full, read-only, in use, or of a newer format."""


class JournalFullError(JournalError):
    """The journal holds as much as it may; what is there is safe, and more is refused."""


class JournalDamagedError(JournalError):
    """The journal's file is not what was written there."""


class ToolchainError(OfframpError):
    """A compiler that refuses a program, or a program that does not do on a target what it should."""


class TooLargeError(InputError):
    """A program that does not fit a target's memory.

    Args:
        flash_bytes, ram_bytes: by how much; 0 where it fits.
    """

    def __init__(self, message: str, *, flash_bytes: int = 0, ram_bytes: int = 0) -> None:
        super().__init__(message)
        self.flash_bytes = flash_bytes
        self.ram_bytes = ram_bytes
