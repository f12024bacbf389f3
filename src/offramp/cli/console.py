"""Where commands print: answers to standard output, everything else to standard error."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from offramp.errors import ConfigError
from offramp.report import printable

out = Console()
err = Console(stderr=True)
_printing = Lock()


def note(text: str) -> None:
    """One line for people, to standard error."""
    err.print(printable(text), highlight=False, markup=False, soft_wrap=True)


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextmanager
def notes_of(package: str) -> Iterator[None]:
    """Tell what a package of offramp logs, as notes."""
    logger, notes = logging.getLogger(package), _Notes()
    level = logger.level
    logger.addHandler(notes)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(notes)


@contextmanager
def resumable(folder: Path, *patterns: str) -> Iterator[None]:
    """Tell what the training logs and, when it is interrupted, that the same command goes on.

    Args:
        patterns: globs in the folder of which one file means that there is something to go on from.
    """
    try:
        with notes_of("offramp.train"):
            yield
    except KeyboardInterrupt:
        if any(file for pattern in patterns for file in folder.glob(pattern)):
            note("interrupted; the same command goes on where it was")
        raise


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


def make_folder(path: Path) -> None:
    """Make it, and those that it lies in, unless it is there.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{path}: no folder can be made there ({error.strerror}); give another path"
        ) from error


def print_wide(table: Table, *, n_keys: int = 2) -> None:
    """Print a table without cutting a cell: in pieces one below the other where the terminal is too narrow.

    Args:
        n_keys: columns that every piece begins with.
    """
    for piece in _folded(table, n_keys) if out.is_terminal else [table]:  # a file has no edge
        piece.width = _natural_width(piece)
        out.print(piece, crop=False)


def cells_table(cells: Sequence[Sequence[str]]) -> Table:
    """A table of text whose first row is its head; all but the first column to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, title in enumerate(cells[0]):
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    for row in cells[1:]:
        table.add_row(*(escape(printable(cell)) for cell in row))
    return table


def _folded(table: Table, n_keys: int) -> list[Table]:
    """As few tables as fit the terminal; each has the keys, and one more column at least."""
    keys = table.columns[:n_keys]
    pieces = [_with_columns(table, keys)]
    for column in table.columns[n_keys:]:
        wider = _with_columns(pieces[-1], [*pieces[-1].columns, column])
        if len(wider.columns) > n_keys + 1 and _natural_width(wider) > out.width:
            pieces.append(_with_columns(table, [*keys, column]))
            pieces[-1].title = None
        else:
            pieces[-1] = wider
    return pieces


def _with_columns(table: Table, columns: Sequence[Column]) -> Table:
    piece = copy(table)
    piece.columns = [replace(column, _index=index) for index, column in enumerate(columns)]
    return piece


def _natural_width(table: Table) -> int:
    return out.measure(table, options=out.options.update(width=1000)).maximum


def print_line(text: str) -> None:
    """Print one line at once, however long; from any thread."""
    with _printing:
        sys.stdout.write(printable(text) + "\n")
        sys.stdout.flush()


def print_json(content: Any) -> None:
    """Print indented JSON, for scripts and for people."""
    for line in msgspec.json.format(msgspec.json.encode(content), indent=2).decode().split("\n"):
        sys.stdout.write(printable(line) + "\n")


def print_json_line(content: Any) -> None:
    """Print one line of JSON at once: who reads the other end of a pipe waits for it."""
    print_line(msgspec.json.encode(content).decode())
