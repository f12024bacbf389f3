"""The smallest networks for the accuracy, found by training many: Optuna over successive halving."""

from offramp.search.budget import Budget
from offramp.search.candidate import Candidate
from offramp.search.record import Entry, Training
from offramp.search.rounds import Found, Standing, search
from offramp.search.settings import Settings
from offramp.search.space import Space

__all__ = [
    "Budget",
    "Candidate",
    "Entry",
    "Found",
    "Settings",
    "Space",
    "Standing",
    "Training",
    "search",
]
