"""Files that may be replaced while they are used."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from offramp.errors import ConfigError

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_Stamp = tuple[tuple[int, int, int] | None, ...]

MAX_FILE_BYTES = 1024 * 1024  # certificates and tokens; a bundle of all public authorities has 200 KB


class Watched(Generic[_T]):
    """What some files say, read again when they have changed. Thread-safe.

    Args:
        read: reads and checks all of them; ConfigError for what cannot be used.

    Raises:
        ConfigError: as `read`. Later on such files are logged, and what was read before stays.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], _T]) -> None:
        self._paths = paths
        self._read = read
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._content = read()

    def __call__(self) -> _T:
        """The newest content that could be used; the same object until there is another."""
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                self._read_again(stamp)
            return self._content

    def _read_again(self, stamp: _Stamp) -> None:
        names = ", ".join(map(str, self._paths))
        try:
            content = self._read()
        except ConfigError as error:
            logger.warning("%s; what was there before stays in use", error)
        else:
            if self._stamp() != stamp:
                return  # replaced between two reads; the next call sees them whole
            self._content = content
            logger.info("read again: %s", names)
        self._seen = stamp

    def _stamp(self) -> _Stamp:
        return tuple(_stamp_of(path) for path in self._paths)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:  # reading it will tell
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_small(path: Path) -> bytes:
    """The content of a file.

    Raises:
        ConfigError: none that can be read, or too large for what it should be.
    """
    return _read(path)[0]


def read_secret(path: Path) -> bytes:
    """As `read_small`; a file that every user of the machine may read is logged."""
    content, mode = _read(path)
    if mode & stat.S_IROTH:
        logger.warning("%s: every user of this machine may read this secret; chmod 600 ends that", path)
    return content


def _read(path: Path) -> tuple[bytes, int]:
    try:
        with path.open("rb") as file:
            content, mode = file.read(MAX_FILE_BYTES + 1), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a file that this user may read") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: more than {MAX_FILE_BYTES:,} bytes; give the file of this purpose alone")
    return content, mode
