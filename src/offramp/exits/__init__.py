"""Exits: how sure a classifier is, and when that is sure enough."""

from offramp.exits.confidence import max_softmax, softmax
from offramp.exits.drift import Profile
from offramp.exits.rule import CRITERIA, NEVER, ExitRule
from offramp.exits.thresholds import empirical_threshold

__all__ = [
    "CRITERIA",
    "NEVER",
    "ExitRule",
    "Profile",
    "empirical_threshold",
    "max_softmax",
    "softmax",
]
