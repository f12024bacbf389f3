"""Folders and pages that experiments write their results to."""

from collections.abc import Iterable
from pathlib import Path

from offramp.cli.console import check_file, make_folder
from offramp.errors import ConfigError


def check_results(output: Path, markdown: Path | None) -> None:
    """Make the folder; refuse now what could not be written after minutes of training."""
    if output.exists() and not output.is_dir():
        raise ConfigError(f"{output}: is a file; give a folder")
    make_folder(output)
    check_file(output / "results.json")
    check_page(markdown)


def check_page(markdown: Path | None) -> None:
    """Refuse now a page that could not be written after minutes of training."""
    if markdown is not None:
        if markdown.suffix != ".md":
            raise ConfigError(f"{markdown}: the page is Markdown; give a name that ends in .md")
        check_file(markdown)


def typed(command: str, options: Iterable[tuple[str, str, str]], markdown: Path | None) -> str:
    """What to type for the same figures; places of data and results are each reader's own.

    Args:
        options: name, value and default of each.
    """
    page = "" if markdown is None or markdown.is_absolute() else str(markdown)
    given = [f"{name} {value}" for name, value, default in options if value not in ("", default)]
    return " ".join([command, *given, *([f"--markdown {page}"] if page else [])])
