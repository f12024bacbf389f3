"""Found networks beside the dense rows as files: JSON, CSV and a Markdown page with its figure."""

from functools import partial
from pathlib import Path

from offramp.experiments.pages import figure_lines, json_text, page, table_lines, write_page, write_texts
from offramp.experiments.searched.evidence import Beside, found_csv
from offramp.experiments.searched.figure import CAPTION, found_svg
from offramp.experiments.searched.words import INTRODUCTION, findings, method, network_table, row_table

TITLE = "The paper's dense networks, and smaller ones that a search found"


def write_found(beside: Beside, folder: Path) -> list[Path]:
    """Write results.json and search.csv into the folder; gives their paths."""
    return write_texts(
        {folder / "results.json": json_text(beside.to_dict()), folder / "search.csv": found_csv(beside)}
    )


def write_found_page(beside: Beside, path: Path) -> list[Path]:
    """Write the page, and beside it its figure and its runs as CSV, named after it; gives their paths.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    return write_page(path, partial(found_page, beside), csv=found_csv(beside), svg=found_svg(beside))


def found_page(beside: Beside, figure: str, table: str) -> str:
    """The page as text.

    Args:
        figure, table: names of the files beside it.
    """
    sections = {
        "What is reached, and what is not": [f"- {one}" for one in findings(beside)],
        "Row by row": [*table_lines(row_table(beside)), "", *figure_lines(figure, CAPTION)],
        "The networks that were found": table_lines(network_table(beside)),
        "How it was measured": [
            *(f"- {one}" for one in method(beside)),
            f"- Every trained network is a line of [{table}]({table}), once for each row that it stands for.",
        ],
    }
    written = f"Written by `{beside.command}`; every number of ours is measured by it."
    return page(TITLE, written, INTRODUCTION, sections)
