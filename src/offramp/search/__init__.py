"""The smallest networks for the accuracy, found by training many: Optuna over successive halving."""

from offramp.search.budget import Budget
from offramp.search.candidate import Candidate
from offramp.search.record import Entry, Training
from offramp.search.results import Results, read_results
from offramp.search.rounds import Found, Standing, search
from offramp.search.settings import Settings
from offramp.search.space import Space

__all__ = [
    "Budget",
    "Candidate",
    "Entry",
    "Found",
    "Results",
    "Settings",
    "Space",
    "Standing",
    "Training",
    "read_results",
    "search",
]
