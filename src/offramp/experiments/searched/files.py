"""Found networks beside the dense rows as files: JSON, CSV and a Markdown page with its figure."""

import json
from pathlib import Path

from offramp.experiments.searched.evidence import Beside, found_csv
from offramp.experiments.searched.figure import CAPTION, found_svg
from offramp.experiments.searched.words import INTRODUCTION, findings, method, network_table, row_table
from offramp.report import markdown_table

TITLE = "The paper's dense networks, and smaller ones that a search found"


def write_found(beside: Beside, folder: Path) -> list[Path]:
    """Write results.json and search.csv into the folder; gives their paths."""
    content = {
        "results.json": json.dumps(beside.to_dict(), indent=1, allow_nan=False) + "\n",
        "search.csv": found_csv(beside),
    }
    for name, text in content.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in content]


def write_found_page(beside: Beside, path: Path) -> list[Path]:
    """Write the page, and beside it its figure and its runs as CSV, named after it; gives their paths.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    figure, table = path.with_suffix(".svg"), path.with_suffix(".csv")
    figure.write_text(found_svg(beside), encoding="utf-8")
    table.write_text(found_csv(beside), encoding="utf-8")
    path.write_text(found_page(beside, figure.name, table.name), encoding="utf-8")
    return [path, table, figure]


def found_page(beside: Beside, figure: str, table: str) -> str:
    """The page as text.

    Args:
        figure, table: names of the files beside it.
    """
    sections = {
        "What is reached, and what is not": [f"- {one}" for one in findings(beside)],
        "Row by row": [*_lines(row_table(beside)), "", f"![{CAPTION}]({figure})", "", CAPTION],
        "The networks that were found": _lines(network_table(beside)),
        "How it was measured": [
            *(f"- {one}" for one in method(beside)),
            f"- Every trained network is a line of [{table}]({table}), once for each row that it stands for.",
        ],
    }
    lines = [f"# {TITLE}", "", f"Written by `{beside.command}`; every number of ours is measured by it.", ""]
    lines += [INTRODUCTION]
    for title, content in sections.items():
        lines += ["", f"## {title}", "", *content]
    return "\n".join(lines) + "\n"


def _lines(table: list[list[str]]) -> list[str]:
    head, *body = table
    return markdown_table(head, body)
