"""A comparison as files: JSON, CSV and a Markdown page with its figure."""

import json
from pathlib import Path

from offramp.experiments.rivals.evidence import Comparison, comparison_csv
from offramp.experiments.rivals.figure import CAPTION, comparison_svg
from offramp.experiments.rivals.words import (
    COST,
    DIFFERENCES,
    INTRODUCTION,
    accuracy_table,
    cost_table,
    differences_table,
    findings,
    method,
    networks_table,
)
from offramp.report import markdown_table

TITLE = "Sparse against everything it should be held against"


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write results.json and results.csv into the folder; gives their paths."""
    content = {
        "results.json": json.dumps(comparison.to_dict(), indent=1, allow_nan=False) + "\n",
        "results.csv": comparison_csv(comparison.runs),
    }
    for name, text in content.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in content]


def write_comparison_page(comparison: Comparison, path: Path) -> list[Path]:
    """Write the page, and beside it its figure and its runs as CSV, named after it; gives their paths.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    figure, csv = path.with_suffix(".svg"), path.with_suffix(".csv")
    figure.write_text(comparison_svg(comparison), encoding="utf-8")
    csv.write_text(comparison_csv(comparison.runs), encoding="utf-8")
    path.write_text(comparison_page(comparison, figure.name, csv.name), encoding="utf-8")
    return [path, csv, figure]


def comparison_page(comparison: Comparison, figure: str, csv: str) -> str:
    """The page as text.

    Args:
        figure, csv: names of the files beside it.
    """
    accuracy = accuracy_table(comparison)
    differences = differences_table(comparison, mark=lambda cell: f"**{cell}**")
    sections = {
        "What wins, and what loses": [f"- {one}" for one in findings(comparison)],
        "Test accuracy, %": [*_lines(accuracy), "", f"![{CAPTION}]({figure})", "", CAPTION],
        "Against `random`, seed by seed": [DIFFERENCES, "", *_lines(differences)],
        "The networks": _lines(networks_table(comparison)),
        "What training costs": [COST, "", *_lines(cost_table(comparison))],
        "How it was measured": [
            *(f"- {one}" for one in method(comparison)),
            f"- Every trained network is a line of [{csv}]({csv}).",
        ],
    }
    lines = [f"# {TITLE}", "", f"Written by `{comparison.command}`; every number is measured by it.", ""]
    lines += [INTRODUCTION]
    for title, content in sections.items():
        lines += ["", f"## {title}", "", *content]
    return "\n".join(lines) + "\n"


def _lines(table: list[list[str]]) -> list[str]:
    head, *body = table
    return markdown_table(head, body)
