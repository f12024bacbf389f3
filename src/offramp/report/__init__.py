"""What a measurement gave: values, one table for the terminal, one page for the browser. No Torch."""

from offramp.report.figures import accuracy_against_bytes, confidence, threshold_sweep
from offramp.report.page import html_page, render_page
from offramp.report.printable import printable
from offramp.report.result import NetworkRecord, Result, Row, accuracy_margin, read_result, to_json
from offramp.report.table import results_table

__all__ = [
    "NetworkRecord",
    "Result",
    "Row",
    "accuracy_against_bytes",
    "accuracy_margin",
    "confidence",
    "html_page",
    "printable",
    "read_result",
    "render_page",
    "results_table",
    "threshold_sweep",
    "to_json",
]
