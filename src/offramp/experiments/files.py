"""The evidence as files: JSON, CSV, one HTML page without anything from elsewhere, and a Markdown page."""

import base64
from pathlib import Path

from offramp.experiments.evidence import Evidence
from offramp.experiments.figures import figures
from offramp.experiments.pages import json_text, page, table_lines, write_texts
from offramp.experiments.runs import runs_csv
from offramp.experiments.words import (
    COLUMNS,
    INTRODUCTION,
    SAVINGS,
    captions,
    cells,
    findings,
    method,
    savings_table,
)
from offramp.report import markdown_table, render_page

TITLE = "The paper's networks, trained again"


def write_files(evidence: Evidence, folder: Path) -> list[Path]:
    """Write results.json, results.csv and report.html into the folder; gives their paths.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
    """
    return write_texts(
        {
            folder / "results.json": json_text(evidence.to_dict()),
            folder / "results.csv": _csv(evidence),
            folder / "report.html": html_page(evidence),
        }
    )


def write_markdown(evidence: Evidence, path: Path) -> list[Path]:
    """Write the page, and beside it its figures and its runs as CSV, named after it; gives their paths."""
    drawn = figures(evidence)
    paths = {name: path.with_name(f"{path.stem}-{name}.svg") for name in drawn}
    csv = path.with_suffix(".csv")
    text = markdown_page(evidence, {name: p.name for name, p in paths.items()}, csv.name)
    return write_texts({path: text, csv: _csv(evidence)} | {paths[name]: svg for name, svg in drawn.items()})


def html_page(evidence: Evidence) -> str:
    """The page as text.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
    """
    return render_page(
        "offramp.experiments",
        title=TITLE,
        evidence=evidence,
        columns=COLUMNS,
        rows=[cells(one) for one in evidence.rows],
        findings=findings(evidence),
        savings=savings_table(evidence),
        savings_words=SAVINGS,
        figures=[(captions(evidence)[name], _data_uri(text)) for name, text in figures(evidence).items()],
        method=method(evidence),
        introduction=INTRODUCTION,
    )


def markdown_page(evidence: Evidence, drawn: dict[str, str], csv: str) -> str:
    """The page as text.

    Args:
        drawn: file names of the figures.
        csv: file name of the runs.
    """
    sections = {
        "What holds, and what does not": [f"- {one}" for one in findings(evidence)],
        "Row by row": markdown_table([title for title, _ in COLUMNS], map(cells, evidence.rows)),
    }
    savings = savings_table(evidence)
    if len(savings) > 1:
        sections["More than four times smaller?"] = [SAVINGS, "", *table_lines(savings)]
    for name, file in drawn.items():
        words = captions(evidence)[name]
        sections[name.replace("figure", "Figure ")] = [f"![{words}]({file})", "", words]
    sections["How it was measured"] = [
        *(f"- {one}" for one in method(evidence)),
        f"- Every trained network is a line of [{csv}]({csv}).",
    ]
    written = f"Written by `{evidence.command}`; every number of ours is measured by it."
    return page(TITLE, written, "", sections)


def _csv(evidence: Evidence) -> str:
    runs = [run for one in evidence.rows for run in one.runs]
    return runs_csv(runs, {one.row.number: one.row for one in evidence.rows})


def _data_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
