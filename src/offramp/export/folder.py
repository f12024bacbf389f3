"""A folder of files that is written as a whole, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from offramp.errors import ConfigError


def write_folder(files: Mapping[str, bytes], path: str | os.PathLike[str]) -> None:
    """Make the folder `path` with these files: all of them, or nothing.

    Args:
        files: path in the folder -> content.

    Raises:
        ConfigError: something is at `path` already, or the system refuses.
    """
    folder = Path(os.path.abspath(path))
    check_folder(folder)
    fresh = folder.with_name(f".{folder.name}.new-{secrets.token_hex(4)}")
    try:
        try:
            for name, content in files.items():
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                (fresh / name).write_bytes(content)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written: {error.strerror}; check the folder it is to lie in"
        ) from error


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise ConfigError where something is at `path` already, or its folder cannot be written to."""
    folder = Path(os.path.abspath(path))
    if os.path.lexists(folder):
        raise ConfigError(f"{folder}: exists already; give another path, or delete it yourself")
    if not folder.parent.is_dir() or not os.access(folder.parent, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{folder}: cannot be written, {folder.parent} is no folder one may write to; give another path"
        )
