"""A part of a bundle that computes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from offramp import kernels
from offramp.bundle import Layer, LinearLayer, Part, ReluLayer
from offramp.errors import DataError

FloatArray = npt.NDArray[np.float32]
Real = npt.NDArray[np.floating]  # scores: float32, or of an integer exit float64


class Network:
    """Evaluates a part with the native kernels.

    Calls may come from several threads at once.

    A row's bits may depend on how many rows are computed with it, since the kernels sum in another order for
    a few rows than for many: sums differ in the last places of float32, and no row sees another's values.

    Args:
        part: layers and arrays, already checked against each other.
        threads: at most; small layers are computed on one.
        start, stop: the layers to evaluate, those from `start` up to, not including, `stop`.
    """

    def __init__(self, part: Part, *, threads: int = 1, start: int = 0, stop: int | None = None) -> None:
        layers = part.layers[:stop]
        self.n_in = _width(part, start)
        self.n_out = _width(part, len(layers))
        self._steps = [_step(part, i, layers[i], threads) for i in range(start, len(layers))]
        self._n_macs = sum(layer.n_edges for layer in layers[start:] if not isinstance(layer, ReluLayer))

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


def _width(part: Part, n_layers: int) -> int:
    """Neurons after the first `n_layers` of a part."""
    junctions = [layer for layer in part.layers[:n_layers] if not isinstance(layer, ReluLayer)]
    return junctions[-1].n_out if junctions else part.n_in


def _step(part: Part, i: int, layer: Layer, threads: int) -> Callable[[FloatArray], FloatArray]:
    if isinstance(layer, ReluLayer):
        return _relu
    weight, bias = part.arrays[f"{i}.weight"], part.arrays.get(f"{i}.bias")
    if isinstance(layer, LinearLayer):
        block = layer.n_in, layer.n_out  # a dense layer is a junction of one block
        table = np.zeros((1, 1), np.uint16)
        weight = np.ascontiguousarray(weight.T).reshape(1, 1, -1)
    else:
        block, table = layer.block, part.arrays[f"{i}.table"]

    forward, size = kernels.Forward(weight, table, bias, block=block), weight.size

    def junction(x: FloatArray) -> FloatArray:
        return forward(x, threads=kernels.useful_threads(size * len(x), at_most=threads))

    return junction


def _relu(x: FloatArray) -> FloatArray:
    return np.maximum(x, 0)
