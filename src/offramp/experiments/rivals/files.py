"""A comparison as files: JSON, CSV and a Markdown page with its figure."""

from functools import partial
from pathlib import Path

from offramp.experiments.pages import figure_lines, json_text, page, table_lines, write_page, write_texts
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

TITLE = "Sparse against everything it should be held against"


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write results.json and results.csv into the folder; gives their paths."""
    return write_texts(
        {
            folder / "results.json": json_text(comparison.to_dict()),
            folder / "results.csv": comparison_csv(comparison.runs),
        }
    )


def write_comparison_page(comparison: Comparison, path: Path) -> list[Path]:
    """Write the page, and beside it its figure and its runs as CSV, named after it; gives their paths.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    return write_page(
        path,
        partial(comparison_page, comparison),
        csv=comparison_csv(comparison.runs),
        svg=comparison_svg(comparison),
    )


def comparison_page(comparison: Comparison, figure: str, csv: str) -> str:
    """The page as text.

    Args:
        figure, csv: names of the files beside it.
    """
    accuracy = accuracy_table(comparison)
    differences = differences_table(comparison, mark=lambda cell: f"**{cell}**")
    sections = {
        "What wins, and what loses": [f"- {one}" for one in findings(comparison)],
        "Test accuracy, %": [*table_lines(accuracy), "", *figure_lines(figure, CAPTION)],
        "Against `random`, seed by seed": [DIFFERENCES, "", *table_lines(differences)],
        "The networks": table_lines(networks_table(comparison)),
        "What training costs": [COST, "", *table_lines(cost_table(comparison))],
        "How it was measured": [
            *(f"- {one}" for one in method(comparison)),
            f"- Every trained network is a line of [{csv}]({csv}).",
        ],
    }
    written = f"Written by `{comparison.command}`; every number is measured by it."
    return page(TITLE, written, INTRODUCTION, sections)
