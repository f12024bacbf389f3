"""Forward pass and gradients of a constant-degree junction, and whole training steps, on NumPy arrays.

`reference` is the same in plain NumPy, for any float type.
"""

from offramp.kernels import reference
from offramp.kernels.addresses import forward_at, forward_bfloat16_at, grad_input_at, grad_weight_at
from offramp.kernels.junction import (
    Forward,
    available_isas,
    forward,
    forward_bfloat16,
    grad_input,
    grad_weight,
    has_openmp,
    useful_threads,
)
from offramp.kernels.network import MAX_LAYERS, Trained, TrainLayer, TrainStep

__all__ = [
    "MAX_LAYERS",
    "Forward",
    "TrainLayer",
    "TrainStep",
    "Trained",
    "available_isas",
    "forward",
    "forward_at",
    "forward_bfloat16",
    "forward_bfloat16_at",
    "grad_input",
    "grad_input_at",
    "grad_weight",
    "grad_weight_at",
    "has_openmp",
    "reference",
    "useful_threads",
]
