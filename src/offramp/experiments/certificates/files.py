"""The study as files: JSON, CSV and a Markdown page with its figure."""

from functools import partial
from pathlib import Path

from offramp.exits.guarantee import MEASURES
from offramp.experiments.certificates.figure import CAPTION, certificates_svg
from offramp.experiments.certificates.study import Study
from offramp.experiments.certificates.words import (
    INTRODUCTION,
    TABLE,
    findings,
    method,
    peers_table,
    table,
)
from offramp.experiments.pages import figure_lines, page, table_lines, write_page, write_texts

TITLE = "Certified thresholds, held against their promises"


def write_study(study: Study, path: Path) -> list[Path]:
    """Write all figures as JSON; gives its path."""
    return write_texts({path: study.json()})


def write_study_page(study: Study, path: Path) -> list[Path]:
    """Write the page, and beside it its figure and its rows as CSV, named after it; gives their paths.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    return write_page(path, partial(study_page, study), csv=study.csv(), svg=certificates_svg(study))


def study_page(study: Study, figure: str, csv: str) -> str:
    """The page as text.

    Args:
        figure, csv: names of the files beside it.
    """
    sections = {
        "What holds, and what does not": [
            *(f"- {one}" for one in findings(study)),
            "",
            *figure_lines(figure, CAPTION),
            "",
            TABLE,
        ]
    }
    for measure in MEASURES:
        sections[f"`{measure}`"] = table_lines(table(study, measure))
    if study.peers:
        sections["Beside MAPIE"] = table_lines(peers_table(study))
    sections["How it was measured"] = [
        *(f"- {one}" for one in method(study)),
        f"- Every row is a line of [{csv}]({csv}).",
    ]
    written = f"Written by `{study.command}`; every number is measured by it."
    return page(TITLE, written, INTRODUCTION, sections)
