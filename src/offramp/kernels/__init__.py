"""Forward pass and gradients of a constant-degree junction, on NumPy arrays.

`reference` is the same in plain NumPy, for any float type.
"""

from offramp.kernels import reference
from offramp.kernels.junction import (
    available_isas,
    forward,
    grad_input,
    grad_weight,
    has_openmp,
    useful_threads,
)

__all__ = [
    "available_isas",
    "forward",
    "grad_input",
    "grad_weight",
    "has_openmp",
    "reference",
    "useful_threads",
]
