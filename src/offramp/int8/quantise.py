"""A part's float32 arrays and the grids of its activations to integers: the rules of docs/formats/int8.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from offramp.bundle import LinearLayer, Part, ReluLayer, SparseLinearLayer
from offramp.codec import Grid
from offramp.errors import ConfigError
from offramp.int8.junction import IntegerJunction
from offramp.int8.scaling import TOP, scaling

LARGEST_WEIGHT = 127
_BIAS_BITS = 24  # what a bias may take of an accumulator's 31

Wide = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """What symbols stand for: value i is low[i] + step[i] · symbol[i], symbols from 0 to `limit`."""

    low: Wide
    step: Wide
    limit: int = 255

    @classmethod
    def of(cls, grid: Grid) -> Values:
        """The levels of a grid."""
        return cls(np.array(grid.low), np.array(grid.step), grid.n_levels - 1)


@dataclass(frozen=True)
class Step:
    """A junction with the ReLU behind it, if there is one; `place` among the part's layers."""

    place: int
    layer: SparseLinearLayer | LinearLayer
    relu: bool


def steps_of(name: str, part: Part) -> list[Step]:
    """The junctions of a part, each with its ReLU.

    Raises:
        ConfigError: a ReLU that follows no junction.
    """
    steps: list[Step] = []
    for place, layer in enumerate(part.layers):
        if not isinstance(layer, ReluLayer):
            steps.append(Step(place, layer, False))
        elif place and not isinstance(part.layers[place - 1], ReluLayer):
            steps[-1] = Step(steps[-1].place, steps[-1].layer, True)
        else:
            raise ConfigError(
                f"unsupported layer: {name} has a ReLU at {place} that follows no junction; cut the network"
                " behind a ReLU"
            )
    return steps


def integer_junctions(
    name: str, part: Part, reads: Values, grids: Sequence[Grid], *, scores: bool
) -> tuple[IntegerJunction, ...]:
    """The part in integers.

    Args:
        name: of the part, for messages.
        reads: what the part's input symbols stand for.
        grids: of the outputs of its junctions, in order; one less with `scores`.
        scores: whether the last junction's sums are scores, all with one step.

    Raises:
        ConfigError: layers or grids that do not go together, or sums that leave 32 bits.
    """
    steps = steps_of(name, part)
    if len(grids) != len(steps) - scores:
        raise ConfigError(f"{len(grids)} grids for the {len(steps)} junctions of {name}; quantise it again")
    made = []
    for number, step in enumerate(steps):
        grid = grids[number] if number < len(grids) else None
        where = f"junction {number + 1} of {name}"
        if grid is not None and grid.n_features != step.layer.n_out:
            raise ConfigError(f"{where} gives {step.layer.n_out} values, its grid has {grid.n_features}")
        made.append(_junction(where, part, step, reads, grid))
        if grid is not None:
            reads = Values.of(grid)
    return tuple(made)


def _junction(where: str, part: Part, step: Step, reads: Values, grid: Grid | None) -> IntegerJunction:
    weight, bias = _real(part, step, reads)  # (n_out/c, in_degree/r, r, c), (n_out,)
    if grid is not None:
        values = Values.of(grid)
        if step.relu and (values.low < 0).any():
            raise ConfigError(
                f"the grid of {where} begins below 0, and a ReLU follows; fit the codec to its features again"
            )
        bias = bias - values.low
    unit = _unit(weight, bias)  # (n_out,)
    if grid is None:
        unit = np.full_like(unit, unit.max())
    layer = step.layer
    c = weight.shape[3]
    per_block = unit.reshape(-1, 1, 1, c)
    quantised = np.rint(weight / per_block).astype(np.int8)
    shifted = np.rint(bias / unit).astype(np.int32)  # by its unit 24 bits at most
    table = np.zeros((1, 1), np.uint8)
    if isinstance(layer, SparseLinearLayer):
        table = part.arrays[f"{step.place}.table"]
    junction = IntegerJunction(
        n_in=layer.n_in,
        block=(weight.shape[2], c),
        table=table,
        weight=quantised.reshape(*quantised.shape[:2], -1),
        bias=shifted,
        unit=unit,
        scaling=None,
        floor=0 if grid is None and step.relu else None,
    )
    top = junction.largest_sum(reads.limit)
    if top >= TOP:
        raise ConfigError(f"sums of {where} reach {top:,}, beyond 31 bits; give it fewer edges an output")
    if grid is None:
        return junction
    # A constant output's sums are 0 whatever their unit, which must not decide how far all are lifted.
    varies = (weight != 0).any(axis=(1, 2)).reshape(-1) | (bias != 0)
    ratio = np.where(varies, unit / np.array(grid.step), 0)
    return replace(junction, scaling=scaling(ratio, top, grid.n_levels - 1))


def _real(part: Part, step: Step, reads: Values) -> tuple[Wide, Wide]:
    """Weights (n_out/c, in_degree/r, r, c) for symbols instead of values, and biases (n_out,) with `low`."""
    layer = step.layer
    weight = part.arrays[f"{step.place}.weight"].astype(np.float64)
    if isinstance(layer, LinearLayer):
        weight, inputs = weight.T[None, None], np.arange(layer.n_in)[None, None]  # one block
    else:
        (r, c), table = layer.block, part.arrays[f"{step.place}.table"].astype(np.int64)
        weight = weight.reshape(*table.shape, r, c)
        inputs = table[:, :, None] * r + np.arange(r)  # (n_out/c, in_degree/r, r)
    bias = np.zeros(layer.n_out)
    if layer.bias:
        bias = part.arrays[f"{step.place}.bias"].astype(np.float64)
    if reads.low.any():
        moved = (weight * reads.low[inputs][..., None]).transpose(0, 3, 1, 2).reshape(layer.n_out, -1)
        # fsum rounds once, whatever the order: another implementation gets the same.
        bias = np.array([math.fsum((own, *row)) for own, row in zip(bias, moved.tolist(), strict=True)])
    return weight * reads.step[inputs][..., None], bias


def _unit(weight: Wide, bias: Wide) -> Wide:
    """What a unit of each output's sums is worth (n_out,): weights use all of int8, biases fit."""
    largest = np.abs(weight).max(axis=(1, 2)).reshape(-1)
    unit = np.maximum(largest / LARGEST_WEIGHT, np.abs(bias) / 2.0**_BIAS_BITS)
    return np.where(unit > 0, unit, 1.0)
