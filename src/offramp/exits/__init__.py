"""Exits: how sure a classifier is, and when that is sure enough."""

from offramp.exits.calibration import fit_learned, fit_temperature
from offramp.exits.confidence import max_softmax, softmax
from offramp.exits.drift import DriftWatch
from offramp.exits.profile import Profile, profile_of
from offramp.exits.reliability_diagram import Reliability, reliability
from offramp.exits.rule import CRITERIA, NEVER, ExitRule, check_criterion

__all__ = [
    "CRITERIA",
    "NEVER",
    "DriftWatch",
    "ExitRule",
    "Profile",
    "Reliability",
    "check_criterion",
    "fit_learned",
    "fit_temperature",
    "max_softmax",
    "profile_of",
    "reliability",
    "softmax",
]
