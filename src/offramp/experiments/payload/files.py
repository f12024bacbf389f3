"""The study as files: JSON, CSV and a Markdown page with its figure."""

from functools import partial
from pathlib import Path

from offramp.experiments.pages import figure_lines, json_text, page, table_lines, write_page, write_texts
from offramp.experiments.payload.evidence import PayloadEvidence, payload_csv
from offramp.experiments.payload.figure import CAPTION, payload_svg
from offramp.experiments.payload.words import (
    CODECS_TOLD,
    INTRODUCTION,
    SYSTEM,
    WIRE,
    codec_table,
    findings,
    method,
    networks_table,
    system_table,
    wire_table,
)

TITLE = "A few bytes a sample"


def write_payload(evidence: PayloadEvidence, folder: Path) -> list[Path]:
    """Write results.json and results.csv into the folder; gives their paths."""
    return write_texts(
        {
            folder / "results.json": json_text(evidence.to_dict()),
            folder / "results.csv": payload_csv(evidence),
        }
    )


def write_payload_page(evidence: PayloadEvidence, path: Path) -> list[Path]:
    """Write the page, and beside it its figure and its figures as CSV, named after it; gives their paths.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    return write_page(
        path, partial(payload_page, evidence), csv=payload_csv(evidence), svg=payload_svg(evidence)
    )


def payload_page(evidence: PayloadEvidence, figure: str, csv: str) -> str:
    """The page as text.

    Args:
        figure, csv: names of the files beside it.
    """
    sections = {
        "Targets, met and missed": [f"- {one}" for one in findings(evidence)],
        "The system": [SYSTEM, "", *table_lines(system_table(evidence))],
        "Accuracy against bytes": figure_lines(figure, CAPTION),
    }
    codecs = [CODECS_TOLD]
    for one in evidence.budgets:
        codecs += ["", f"### {one.budget:,} parameters", "", *table_lines(codec_table(one))]
    sections["Every codec"] = codecs
    sections["On the wire"] = [WIRE, "", *table_lines(wire_table(evidence))]
    sections["The networks"] = table_lines(networks_table(evidence))
    sections["How it was measured"] = [
        *(f"- {one}" for one in method(evidence)),
        f"- Every network and codec is a line of [{csv}]({csv}).",
    ]
    written = f"Written by `{evidence.command}`; every number is measured by it."
    return page(TITLE, written, INTRODUCTION, sections)
