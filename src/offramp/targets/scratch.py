"""Folders for temporary files."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from offramp.errors import ToolchainError


@contextmanager
def scratch(prefix: str = "offramp-") -> Iterator[Path]:
    """A folder that vanishes when the block ends.

    Raises:
        ToolchainError: what was written in it found no room; writing alone would not say where.
    """
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        try:
            yield Path(name)
        except OSError as error:
            if error.filename is not None:
                raise
            raise ToolchainError(
                f"temporary files in {tempfile.gettempdir()}: {error.strerror}; make room there, or set"
                " TMPDIR"
            ) from error
