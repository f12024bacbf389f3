"""The programs of others that targets need: found, or missed by name; called, and their complaints told."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from offramp.errors import MissingDependencyError, ToolchainError
from offramp.targets.target import Target, Tool


def missing(target: Target) -> str:
    """Why nothing can be built and run for this target, in one line; "" where everything is there."""
    absent = [_absence(tool) for tool in target.tools if tool.path() is None]
    return "; ".join(absent) if absent else _library_absence(target)


def found(tool: Tool) -> str:
    """The path of an installed program.

    Raises:
        MissingDependencyError: it is not there; the message names the Debian packages.
    """
    path = tool.path()
    if path is None:
        raise MissingDependencyError(_absence(tool))
    return path


def said(tool: Tool, arguments: Sequence[str], *, folder: Path | None = None) -> str:
    """What the program prints.

    Raises:
        MissingDependencyError: it is not installed.
        ToolchainError: it failed; first a line of ours, then what it said.
    """
    done = subprocess.run(
        [found(tool), *arguments], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise ToolchainError(f"{tool.command} failed with status {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def _absence(tool: Tool) -> str:
    return f"{tool.command} is not installed; apt install {tool.packages}"


def _library_absence(target: Target) -> str:
    """Debian has compilers in one package and their C libraries in another."""
    try:
        said(target.compiler, [*target.flags, "-E", "-include", "string.h", "-x", "c", os.devnull])
    except ToolchainError:
        return f"{target.compiler.command} has no C library; apt install {target.compiler.packages}"
    return ""
