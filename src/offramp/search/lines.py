"""Files of JSON lines that survive an interruption."""

import fcntl
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from offramp.errors import ConfigError, DataError


class Lines:
    """JSON objects in memory and, with a path, in a file: one a line, a line cut off at the end is dropped.

    Args:
        path: of a file that is this process's own until it ends, or None.

    Raises:
        ConfigError: another process has the file.
        DataError: a line that is no JSON.
    """

    def __init__(self, path: Path | None) -> None:
        self.path, self.all = path, list[Any]()
        self._file = None if path is None else path.open("a+b")
        if self._file is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"{path}: another search is at work on it; wait, or give another folder"
            ) from error
        self._file.seek(0)
        whole, newline, torn = self._file.read().rpartition(b"\n")
        if torn:
            self._file.truncate(len(whole) + len(newline))
        try:
            self.all = [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise DataError(f"{path}: damaged ({error}); give another folder") from error

    def add(self, contents: Iterable[Any]) -> None:
        """Keep more; in the file at once."""
        texts = [json.dumps(content) for content in contents]
        self.all += [json.loads(text) for text in texts]  # what the file would give back
        if self._file is not None:
            self._file.write("".join(text + "\n" for text in texts).encode())
            self._file.flush()

    def close(self) -> None:
        """Let others have the file."""
        if self._file is not None:
            self._file.close()
