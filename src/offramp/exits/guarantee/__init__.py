"""Thresholds with a guarantee, certified on samples unseen in training. Needs SciPy, which no edge has."""

from offramp.exits.guarantee.bounds import BOUNDS
from offramp.exits.guarantee.certificate import Certificate
from offramp.exits.guarantee.certify import METHODS, certify, check_certifiable
from offramp.exits.guarantee.curve import RiskCurve, risk_curve
from offramp.exits.guarantee.empirical import empirical_threshold
from offramp.exits.guarantee.grid import fitting_split, threshold_grid
from offramp.exits.guarantee.outcomes import Outcomes
from offramp.exits.guarantee.tally import MEASURES

__all__ = [
    "BOUNDS",
    "MEASURES",
    "METHODS",
    "Certificate",
    "Outcomes",
    "RiskCurve",
    "certify",
    "check_certifiable",
    "empirical_threshold",
    "fitting_split",
    "risk_curve",
    "threshold_grid",
]
