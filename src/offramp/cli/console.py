"""Where commands print: answers to standard output, everything else to standard error."""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from offramp.errors import ConfigError

out = Console()
err = Console(stderr=True)


def note(text: str) -> None:
    """One line for people, to standard error."""
    err.print(text, highlight=False, markup=False, soft_wrap=True)


def progress() -> Progress:
    """Bars on standard error; nothing where that is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def check_file(path: Path) -> None:
    """Raise ConfigError unless a file can be written at `path`."""
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; give a file")
    if path.exists() and not os.access(path, os.W_OK):
        raise ConfigError(f"{path}: a file that may not be written to; give another path")
    parent = path.resolve().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ConfigError(
            f"{path}: cannot be written, {parent} is no folder one may write to; give another path"
        )


def print_wide(content: RenderableType) -> None:
    """Print a table; at its full width where the output is no terminal, since a file has no edge."""
    if out.is_terminal:
        out.print(content)
        return
    unbounded = out.measure(content, options=out.options.update(width=1000)).maximum
    Console(width=max(out.width, unbounded)).print(content)


def print_line(text: str) -> None:
    """Print one line as it is, at once, however long."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_json(content: Any) -> None:
    """Print indented JSON, for scripts and for people."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n")


def print_json_line(content: Any) -> None:
    """Print one line of JSON at once: who reads the other end of a pipe waits for it."""
    print_line(msgspec.json.encode(content).decode())
