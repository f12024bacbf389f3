"""A serial port that may not be there yet, vanish and come back."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any
from urllib.parse import urlsplit

from offramp.errors import ConfigError, LineLostError, MissingDependencyError

_log = logging.getLogger(__name__)
_READ_S = 0.1  # how long a read waits, and so how late a stop is noticed
_WRITE_S = 2.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0


class SerialLine:
    """Bytes to and from a port. One thread opens and reads; any may write.

    Args:
        url: a device as in /dev/ttyUSB0 or COM3, or an URL of pyserial as in socket://host:port.
        baud: bits per second on the line; without meaning for a socket.
        once: a port that is not there, or is gone, is not waited for.

    Raises:
        ConfigError: no such kind of port or speed.
        MissingDependencyError: pyserial is not installed.
    """

    def __init__(self, url: str, *, baud: int = 115_200, once: bool = False) -> None:
        try:
            import serial
        except ImportError as error:
            raise MissingDependencyError(
                "a serial port needs pyserial, which is not installed; run: pip install 'offramp[gateway]'"
            ) from error
        self.once = once
        self._url = url
        self._lock = threading.Lock()  # of opening, writing and closing
        self._lost = serial.SerialException
        try:
            _check(url)
            self._port: Any = serial.serial_for_url(
                url, baudrate=baud, timeout=_READ_S, write_timeout=_WRITE_S, do_not_open=True
            )
        except ValueError as error:
            raise ConfigError(
                f"serial port {url!r}: {error}; give a device as in /dev/ttyUSB0, or socket://host:port"
            ) from error

    def open(self, stop: threading.Event) -> bool:
        """Opens the port, waiting until it is there; False where it is to be waited for no longer.

        Raises:
            LineLostError: it is not there, and `once` says not to wait.
        """
        wait_s, told = _FIRST_WAIT_S, False
        while not stop.is_set():
            try:
                with self._lock:
                    self._port.open()
            except (self._lost, OSError) as error:
                if self.once:
                    raise LineLostError(f"serial port {self._url}: {_why(error)}; plug it in") from error
                if not told:
                    _log.info("serial port %s: %s; trying again until it is there", self._url, _why(error))
                told = True
                stop.wait(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                _log.info("serial port %s is open", self._url)
                return True
        return False

    def read(self) -> bytes:
        """What has come, after a moment at the latest; empty for nothing.

        Raises:
            LineLostError: the port is gone.
        """
        come = b""
        try:
            come = self._port.read(1)
            return come + self._port.read(self._port.in_waiting) if come else b""
        except (self._lost, OSError) as error:
            if come:  # the next read finds the same
                return come
            raise LineLostError(f"serial port {self._url} is gone: {_why(error)}") from error

    def write(self, data: bytes) -> None:
        """Puts all of it on the line.

        Raises:
            LineLostError: the port is gone, or takes nothing.
        """
        try:
            with self._lock:
                self._port.write(data)
        except (self._lost, OSError) as error:
            raise LineLostError(f"serial port {self._url} takes nothing: {_why(error)}") from error

    def close(self) -> None:
        """Closes the port; closing twice is fine."""
        with self._lock:
            held = getattr(self._port, "_socket", None)
            self._port.close()
            if held is not None:  # which pyserial 3.5 leaves open where the other side has gone first
                held.close()


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "socket" and not (parts.hostname and parts.port):
        raise ValueError("no host and port")


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
