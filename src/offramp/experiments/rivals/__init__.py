"""Sparse rows of the paper against everything that they should be held against. Imports Torch."""

from offramp.experiments.rivals.compare import Rival, compare
from offramp.experiments.rivals.contenders import METHODS, Contender, Method, contenders
from offramp.experiments.rivals.evidence import Comparison
from offramp.experiments.rivals.files import write_comparison, write_comparison_page
from offramp.experiments.rivals.words import accuracy_table, differences_table, findings

__all__ = [
    "METHODS",
    "Comparison",
    "Contender",
    "Method",
    "Rival",
    "accuracy_table",
    "compare",
    "contenders",
    "differences_table",
    "findings",
    "write_comparison",
    "write_comparison_page",
]
