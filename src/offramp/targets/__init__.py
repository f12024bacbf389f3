"""C programs for processors: built, weighed, and run natively or emulated. Knows nothing of networks."""

from offramp.targets.build import build, compile_object
from offramp.targets.program import Counts, Object, Program, Run
from offramp.targets.scratch import scratch
from offramp.targets.sizes import Sizes, Symbol, check_fits_chip, sizes
from offramp.targets.stack import Stack, stack
from offramp.targets.target import TARGETS, Target
from offramp.targets.tools import missing

__all__ = [
    "TARGETS",
    "Counts",
    "Object",
    "Program",
    "Run",
    "Sizes",
    "Stack",
    "Symbol",
    "Target",
    "build",
    "check_fits_chip",
    "compile_object",
    "missing",
    "scratch",
    "sizes",
    "stack",
]
