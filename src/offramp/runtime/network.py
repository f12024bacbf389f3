"""A part of a bundle that computes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from offramp import kernels
from offramp.bundle import Layer, LinearLayer, Part, ReluLayer
from offramp.errors import DataError

FloatArray = npt.NDArray[np.float32]


class Network:
    """Evaluates a part: sparse junctions with the native kernels, the rest with NumPy.

    Calls may come from several threads at once.

    Args:
        part: layers and arrays, already checked against each other.
        threads: at most, for the sparse junctions; dense ones use NumPy's BLAS as it is set up.
    """

    def __init__(self, part: Part, *, threads: int = 1) -> None:
        self.n_in = part.n_in
        self.n_out = part.n_out
        self._steps = [_step(part, i, layer, threads) for i, layer in enumerate(part.layers)]
        self._n_macs = sum(array.size for name, array in part.arrays.items() if name.endswith(".weight"))

    @property
    def n_macs(self) -> int:
        """Multiply-adds executed for one sample: one for each stored weight, none for absent edges."""
        return self._n_macs

    def __call__(self, x: FloatArray) -> FloatArray:
        """Outputs (batch, n_out) of inputs (batch, n_in), float32. They are not finite where sums overflow.

        Raises:
            DataError: inputs of another shape.
        """
        if x.ndim != 2 or x.shape[1] != self.n_in:
            raise DataError(f"inputs of shape {x.shape}; this network reads (batch, {self.n_in})")
        with np.errstate(over="ignore", invalid="ignore"):  # callers look at the result
            for step in self._steps:
                x = step(x)
        return x


def _step(part: Part, i: int, layer: Layer, threads: int) -> Callable[[FloatArray], FloatArray]:
    if isinstance(layer, ReluLayer):
        return _relu
    weight, bias = part.arrays[f"{i}.weight"], part.arrays.get(f"{i}.bias")
    if isinstance(layer, LinearLayer):
        return partial(_dense, weight=weight, bias=bias)
    table = part.arrays[f"{i}.table"]

    def sparse(x: FloatArray) -> FloatArray:
        useful = kernels.useful_threads(weight.size * len(x), at_most=threads)
        return kernels.forward(x, weight, table, bias, block=layer.block, threads=useful)

    return sparse


def _relu(x: FloatArray) -> FloatArray:
    return np.maximum(x, 0)


def _dense(x: FloatArray, *, weight: FloatArray, bias: FloatArray | None) -> FloatArray:
    y: FloatArray = x @ weight.T  # (batch, n_out)
    return y if bias is None else y + bias
