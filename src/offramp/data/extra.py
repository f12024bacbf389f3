"""Packages of the extra `data`, imported when they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from offramp.errors import MissingDependencyError


def load_extra(module: str, *, purpose: str) -> Any:
    """The module, imported now.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"{purpose} needs {error.name}, which is not installed; pip install 'offramp[data]'"
        ) from error
