"""What an exported program takes of a processor."""

from offramp.plan.footprint.record import Candidate, Footprint, JunctionFootprint
from offramp.plan.footprint.weigh import footprint

__all__ = ["Candidate", "Footprint", "JunctionFootprint", "footprint"]
