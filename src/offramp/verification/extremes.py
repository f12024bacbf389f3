"""Samples at the edges: where roundings, carries and sums go wrong first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Preprocessing
from offramp.export.c import Program

Array = npt.NDArray[Any]
N_PIXELS = 32  # samples of a single value
N_OUTPUTS = 64  # of which the sums are driven to both ends
N_RANDOM = 64
_LARGE = (0.0, 255.0, -255.0, 1e-30, -1e-30, 1e6, -1e6)  # as floats, beside 0 and 1


def extremes(program: Program, *, seed: int = 0) -> Array:
    """Raw samples (n, *shape): of one value, checkerboards, single values, ends of sums, chance."""
    rule = program.bundle.preprocessing
    n = int(np.prod(rule.shape))
    ends = _ends_of_sums(program)
    made = [*_flat(rule, n), *_chance(rule, n, np.random.default_rng(seed)), *ends]
    return np.array(made, rule.dtype).reshape(len(made), *rule.shape)


def _flat(rule: Preprocessing, n: int) -> list[Array]:
    top = 255 if rule.dtype == "uint8" else 1.0
    values = range(256) if n <= 64 and rule.dtype == "uint8" else (0, 1, 127, 128, 254, 255)
    flat = [np.full(n, value) for value in (values if rule.dtype == "uint8" else _LARGE)]
    board = np.indices(rule.shape).sum(axis=0).ravel() % 2
    flat += [board * top, (1 - board) * top]
    for place in np.unique(np.linspace(0, n - 1, N_PIXELS).astype(int)):
        single = np.zeros(n)
        single[place] = top
        flat.append(single)
    return flat


def _ends_of_sums(program: Program) -> list[Array]:
    """Samples at which the sums of the head's first outputs are largest, and smallest."""
    junction, rule = program.parts["head"][0], program.bundle.preprocessing
    (r, c), table = junction.shape.block, junction.shape.table.astype(np.int64)
    inputs = (table[:, :, None] * r + np.arange(r)).reshape(len(table), -1).repeat(c, axis=0)
    weights = np.zeros((min(N_OUTPUTS, len(inputs)), junction.shape.n_in))
    np.put_along_axis(weights, inputs[:N_OUTPUTS], junction.shape.rows[:N_OUTPUTS].astype(float), axis=1)
    return [_spread(rule, sign * row[: rule.n_values] > 0) for row in weights for sign in (1, -1)]


def _spread(rule: Preprocessing, chosen: Array) -> Array:
    """A raw sample that is high at these values after pooling, and low elsewhere."""
    high, low = (255.0, 0.0) if rule.dtype == "uint8" else (3.0, -3.0)
    values = np.where(chosen, high, low)
    if rule.pool == 1:
        return values
    sides = [side // rule.pool for side in rule.shape]
    return np.asarray(np.kron(values.reshape(sides), np.ones((rule.pool, rule.pool))).ravel())


def _chance(rule: Preprocessing, n: int, rng: np.random.Generator) -> list[Array]:
    if rule.dtype == "uint8":
        even = rng.integers(0, 256, (N_RANDOM, n))
        return [*even, *(even * (rng.random((N_RANDOM, n)) < 0.1))]
    return list(rng.standard_normal((2 * N_RANDOM, n)) * 10.0 ** rng.integers(-3, 4, (2 * N_RANDOM, 1)))
