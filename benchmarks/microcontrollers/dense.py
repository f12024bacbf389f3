"""A trained dense network as the peers take it, and in the integers of CMSIS-NN."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
ZERO = -128  # of the activations' int8: nothing is negative behind a ReLU, nor is a pixel


@dataclass(frozen=True, eq=False)
class Dense:
    """Layers (n_out, n_in) with their biases, a ReLU between them, on images averaged over windows.

    Args:
        pool: side of the windows.
    """

    pool: int
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    @classmethod
    def of(cls, model: nn.Module, *, pool: int) -> "Dense":
        linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
        return cls(
            pool,
            tuple(layer.weight.detach().numpy() for layer in linear),
            tuple(layer.bias.detach().numpy() for layer in linear),
        )

    @property
    def neurons(self) -> tuple[int, ...]:
        return (self.weights[0].shape[1], *(len(weight) for weight in self.weights))

    def scores(self, x: Floats) -> list[Floats]:
        """What every layer gives, behind its ReLU; the last ones are the scores."""
        given = []
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            x = x @ weight.T + bias
            if number < len(self.weights):
                x = np.maximum(x, 0)
            given.append(x)
        return given


def pooled(images: npt.NDArray[np.uint8], pool: int) -> Integers:
    """Means of the windows, rounded half up (n, n_in): what the C of the peers computes."""
    n, height, width = images.shape
    windows = images.astype(np.int64).reshape(n, height // pool, pool, width // pool, pool)
    return (windows.sum(axis=(2, 4)).reshape(n, -1) + pool**2 // 2) // pool**2


@dataclass(frozen=True, eq=False)
class Int8Layer:
    """A layer of `arm_fully_connected_s8`, per tensor: y = clamp(requantised(W x + bias) + zero)."""

    weight: Integers
    bias: Integers
    multiplier: int
    shift: int
    zero: int

    @property
    def sums(self) -> Integers:
        """Bias and what the inputs' zero point adds: MVE takes both as one."""
        sums: Integers = self.bias - ZERO * self.weight.sum(axis=1)
        return sums


def int8_layers(dense: Dense, calibration: npt.NDArray[np.uint8]) -> list[Int8Layer]:
    """As TensorFlow Lite quantises: weights symmetric, activations by their range on calibration images."""
    step = 1 / 255
    layers = []
    given = dense.scores(pooled(calibration, dense.pool).astype(np.float32) * np.float32(step))
    for number, values in enumerate(given):
        weight = dense.weights[number].astype(np.float64)
        unit = np.abs(weight).max() / 127
        low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
        next_step = (high - low) / 255
        multiplier, shift = _scaled(step * unit / next_step)
        layers.append(
            Int8Layer(
                weight=np.rint(weight / unit).astype(np.int64),
                bias=np.rint(dense.biases[number].astype(np.float64) / (step * unit)).astype(np.int64),
                multiplier=multiplier,
                shift=shift,
                zero=round(ZERO - low / next_step),
            )
        )
        step = next_step
    return layers


def int8_classes(layers: Sequence[Int8Layer], inputs: Integers) -> Integers:
    """The classes of pooled images by the integers of CMSIS-NN."""
    x = inputs + ZERO
    for layer in layers:
        x = _requantised((x - ZERO) @ layer.weight.T + layer.bias, layer.multiplier, layer.shift) + layer.zero
        x = np.clip(x, -128, 127)
    classes: Integers = x.argmax(axis=1)
    return classes


def _scaled(ratio: float) -> tuple[int, int]:
    """ratio = multiplier / 2^31 · 2^shift."""
    fraction, shift = math.frexp(ratio)
    multiplier = round(fraction * 2**31)
    return (multiplier // 2, shift + 1) if multiplier == 2**31 else (multiplier, shift)


def _requantised(sums: Integers, multiplier: int, shift: int) -> Integers:
    left, right = max(shift, 0), max(-shift, 0)
    high = ((sums << left) * multiplier + (1 << 30)) >> 31
    mask = (1 << right) - 1
    rounded: Integers = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
    return rounded
