"""The device in integers: the reference that docs/formats/int8.md describes. Free of Torch."""

from offramp.int8.confidence import FARTHEST, NEVER_SURE, IntegerRule
from offramp.int8.device import Inputs, IntegerDevice, Trace, run
from offramp.int8.junction import IntegerJunction
from offramp.int8.quantise import LARGEST_WEIGHT, Values, integer_junctions, steps_of
from offramp.int8.scaling import Scaling, scaling

__all__ = [
    "FARTHEST",
    "LARGEST_WEIGHT",
    "NEVER_SURE",
    "Inputs",
    "IntegerDevice",
    "IntegerJunction",
    "IntegerRule",
    "Scaling",
    "Trace",
    "Values",
    "integer_junctions",
    "run",
    "scaling",
    "steps_of",
]
