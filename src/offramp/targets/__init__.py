"""C programs for processors: built, weighed, and run natively or emulated. Knows nothing of networks."""

from offramp.targets.build import build
from offramp.targets.program import Counts, Program, Run
from offramp.targets.target import TARGETS, Target
from offramp.targets.tools import missing

__all__ = ["TARGETS", "Counts", "Program", "Run", "Target", "build", "missing"]
