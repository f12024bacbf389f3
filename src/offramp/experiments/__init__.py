"""The paper's networks trained again, and what they say beside the paper. Imports Torch."""

from offramp.experiments.evidence import Evidence, RowEvidence, gather, misprint_words
from offramp.experiments.files import html_page, markdown_page, write_files, write_markdown
from offramp.experiments.paper import PAPER_ROWS, PaperRow, misprints, select_rows
from offramp.experiments.reproduce import reproduce
from offramp.experiments.runs import Run, Settings, recipe_named
from offramp.experiments.statistics import VERDICTS, Spread, spread, verdict
from offramp.experiments.words import COLUMNS, accuracy_cell, cells

__all__ = [
    "COLUMNS",
    "PAPER_ROWS",
    "VERDICTS",
    "Evidence",
    "PaperRow",
    "RowEvidence",
    "Run",
    "Settings",
    "Spread",
    "accuracy_cell",
    "cells",
    "gather",
    "html_page",
    "markdown_page",
    "misprint_words",
    "misprints",
    "recipe_named",
    "reproduce",
    "select_rows",
    "spread",
    "verdict",
    "write_files",
    "write_markdown",
]
