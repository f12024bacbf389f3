"""A whole training step in one native call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from offramp import _native
from offramp.errors import ConfigError, DataError
from offramp.kernels.types import Float32Array
from offramp.pattern import Pattern, Table

MAX_LAYERS = 64


class Trained(NamedTuple):
    """A parameter and Adam's first and second moments of it: float32, contiguous, changed in place."""

    value: Float32Array
    mean: Float32Array
    square: Float32Array


@dataclass(frozen=True)
class TrainLayer:
    """A junction of a network in training.

    Args:
        weight: of a sparse layer (n_out/c, in_degree/r, r*c), of a dense one (n_out, n_in).
        bias: (n_out,) or None.
        pattern: None makes the layer dense.
        relu: whether a ReLU follows.
    """

    n_in: int
    n_out: int
    weight: Trained
    bias: Trained | None
    pattern: Pattern | None
    relu: bool


class TrainStep:
    """Forward pass, softmax cross-entropy, backward pass and Adam of a network, on one thread.

    The loss is the tail's mean cross-entropy + exit_weight * the exit's. A network that is not split is all
    tail. The arrays of the layers are read and written in place, so they must stay where they are.

    Raises:
        ConfigError: more than 64 layers, layers that do not fit one another, or arrays that are not
            contiguous float32.
    """

    def __init__(
        self,
        *,
        tail: Sequence[TrainLayer],
        head: Sequence[TrainLayer] = (),
        exit: Sequence[TrainLayer] = (),
        exit_weight: float = 0.0,
    ) -> None:
        if len(head) + len(exit) + len(tail) > MAX_LAYERS:
            raise ConfigError(f"{len(head) + len(exit) + len(tail)} layers; give at most {MAX_LAYERS}")
        self._exit_weight = exit_weight
        self._native = _native.TrainStep()
        for stack, layers in enumerate((head, exit, tail)):
            for layer in layers:
                try:
                    self._add(stack, layer)
                except ValueError as error:
                    raise ConfigError(f"{error}; give the layers of one network, in order") from error

    def __call__(
        self,
        x: Float32Array,
        targets: npt.NDArray[np.int64] | Float32Array,
        rows: npt.NDArray[np.int64],
        *,
        learning_rate: float,
        step: int,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        isa: str | None = None,
    ) -> float:
        """Train on the samples `rows` of x and targets; gives their loss before the update.

        Args:
            x: all samples, (n, n_in), contiguous.
            targets: as Torch's `cross_entropy` takes them: the classes of all samples, (n,) int64, or each
                sample's share of every class, (n, n_classes) contiguous float32, 1 in all.
            rows: which of them are the batch, (batch,).
            step: of Adam, counted from 1.

        Raises:
            ConfigError: stacks that do not fit one another or the samples, or an unknown instruction set.
            DataError: a label that is no class, or a row that is no sample.
        """
        settings = (self._exit_weight, learning_rate, beta1, beta2, epsilon, step, isa)
        labels, shares = (targets, None) if targets.ndim == 1 else (None, targets)
        try:
            return float(self._native.step(x, labels, shares, rows, *settings))
        except ValueError as error:
            raise ConfigError(f"{error}; give the layers and the data of one network") from error
        except IndexError as error:
            raise DataError(f"{error}; number samples and classes from 0") from error

    def _add(self, stack: int, layer: TrainLayer) -> None:
        if layer.pattern is None:
            # One block of all weights; stored (n_out, n_in), it leads from the outputs to the inputs.
            r, c = layer.n_out, layer.n_in
            table: Table = np.zeros((1, 1), np.uint16)
            reverse_table = table
        else:
            (r, c), table, reverse_table = layer.pattern.block, layer.pattern.table, layer.pattern.reverse()
        self._native.add_layer(
            stack,
            table,
            reverse_table,
            layer.n_in,
            layer.n_out,
            r,
            c,
            layer.pattern is not None,
            layer.relu,
            *_flat(layer.weight),
            *((None, None, None) if layer.bias is None else _flat(layer.bias)),
        )


def _flat(parameter: Trained) -> list[Float32Array]:
    """Views of one dimension: a copy would be trained in place of the original."""
    for array in parameter:
        if array.dtype != np.float32 or not array.flags.c_contiguous:
            raise ConfigError(
                f"a parameter is {array.dtype} with strides {array.strides}; give contiguous float32"
            )
    return [array.reshape(-1) for array in parameter]
