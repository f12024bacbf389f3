"""What all experiments write in the same way: files of text, and Markdown pages of sections."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from offramp.errors import ConfigError
from offramp.report import markdown_table


def json_text(values: Any) -> str:
    """Plain values as a JSON document."""
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def write_texts(content: Mapping[Path, str]) -> list[Path]:
    """Write each text into its file; gives the paths.

    Raises:
        ConfigError: the system refuses; what it says of a full disk does not name the file.
    """
    for path, text in content.items():
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be written: {error.strerror}; make room, or give another path"
            ) from error
    return list(content)


def write_page(path: Path, text: Callable[[str, str], str], *, csv: str, svg: str) -> list[Path]:
    """Write a page, and beside it its figure and its table as CSV, named after it; gives their paths.

    Args:
        text: the page, given the names of figure and table.
    """
    figure, table = path.with_suffix(".svg"), path.with_suffix(".csv")
    return write_texts({path: text(figure.name, table.name), table: csv, figure: svg})


def figure_lines(figure: str, caption: str) -> list[str]:
    """A figure with its caption, in Markdown; the caption is also what those are told who do not see it."""
    return [f"![{caption}]({figure})", "", caption]


def table_lines(table: Sequence[Sequence[str]]) -> list[str]:
    """A table whose first row is its head, in Markdown."""
    head, *body = table
    return markdown_table(head, body)


def page(title: str, written: str, introduction: str, sections: Mapping[str, Sequence[str]]) -> str:
    """A Markdown page.

    Args:
        written: by what, in a sentence.
        sections: the lines of each, by title.
    """
    lines = [f"# {title}", "", written]
    if introduction:
        lines += ["", introduction]
    for name, content in sections.items():
        lines += ["", f"## {name}", "", *content]
    return "\n".join(lines) + "\n"
