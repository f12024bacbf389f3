"""What a server logs, to standard error: lines for people, or lines of JSON for machines."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from offramp.cli.console import note
from offramp.errors import ConfigError

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)
LEVELS = ("debug", "info", "warning", "error")


@contextmanager
def logs_of(package: str, *, format: str, level: str) -> Iterator[None]:
    """Write what a package of offramp logs, from a level on.

    Raises:
        ConfigError: no such format or level.
    """
    for name, value, known in (("--log-format", format, FORMATS), ("--log-level", level, LEVELS)):
        if value not in known:
            raise ConfigError(f"{name} {value}; use one of {', '.join(known)}")
    logger, handler = logging.getLogger(package), _JsonLines() if format == JSON else _Lines()
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False  # whoever listens at the root would write it once more
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.propagate = before[1]
        logger.removeHandler(handler)


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "fields", {})
        text = " ".join([record.getMessage(), *(f"{name}={value}" for name, value in fields.items())])
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        note(text)


class _JsonLines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = logging.Formatter().formatException(record.exc_info)
        sys.stderr.write(msgspec.json.encode(line).decode() + "\n")
        sys.stderr.flush()
