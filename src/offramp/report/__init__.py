"""What a measurement gave: values, tables for the terminal, pages for browser and documentation. No Torch."""

from offramp.report.codec_figure import CodecPoint, codec_figure
from offramp.report.exit_figures import reliability_figure, risk_figure, threshold_figure
from offramp.report.figures import accuracy_against_bytes, confidence, threshold_sweep
from offramp.report.findings import findings
from offramp.report.markdown import markdown_page, markdown_table, write_markdown
from offramp.report.page import html_page, render_page
from offramp.report.printable import printable
from offramp.report.result import (
    Candidate,
    Choice,
    Estimate,
    NetworkRecord,
    Result,
    Row,
    accuracy_margin,
    read_result,
    to_json,
)
from offramp.report.sections import Picture, Section, section_page
from offramp.report.table import networks_table, results_table

__all__ = [
    "Candidate",
    "Choice",
    "CodecPoint",
    "Estimate",
    "NetworkRecord",
    "Picture",
    "Result",
    "Row",
    "Section",
    "accuracy_against_bytes",
    "accuracy_margin",
    "codec_figure",
    "confidence",
    "findings",
    "html_page",
    "markdown_page",
    "markdown_table",
    "networks_table",
    "printable",
    "read_result",
    "reliability_figure",
    "render_page",
    "results_table",
    "risk_figure",
    "section_page",
    "threshold_figure",
    "threshold_sweep",
    "to_json",
    "write_markdown",
]
