"""The network whose tail is served: random weights will do, since only time is measured."""

from itertools import pairwise

import numpy as np

from offramp import pattern
from offramp.bundle import Bundle, LinearLayer, Part, Preprocessing, ReluLayer, SparseLinearLayer
from offramp.exits import ExitRule

N_INPUTS, N_FEATURES, N_HIDDEN, N_CLASSES = 64, 40, 128, 10


def network() -> Bundle:
    """64 values -> 40 features -> a sparse layer of 128 -> 10 classes."""
    rng = np.random.default_rng(1)
    return Bundle(
        name="served",
        preprocessing=Preprocessing((N_INPUTS,), "float32"),
        classes=tuple(f"class {i}" for i in range(N_CLASSES)),
        head=_part(rng, N_INPUTS, N_FEATURES),
        exit=_part(rng, N_FEATURES, N_CLASSES),
        tail=_part(rng, N_FEATURES, N_HIDDEN, N_CLASSES),
        exit_rule=ExitRule(0.9),
    )


def _part(rng: np.random.Generator, *widths: int) -> Part:
    """Sparse junctions of density 1/4 with a ReLU behind each, the last one dense without."""
    layers: list[SparseLinearLayer | LinearLayer | ReluLayer] = []
    arrays = {}
    for n_in, n_out in pairwise(widths[:-1]):
        made = pattern.block(n_in, n_out, n_out // 4, block=(1, 1), seed=1)
        arrays[f"{len(layers)}.weight"] = _normal(rng, (*made.table.shape, 1))
        arrays[f"{len(layers)}.table"] = made.table
        layers += [SparseLinearLayer(n_in, n_out, n_out // 4, (1, 1), False, made.digest()), ReluLayer()]
    n_in, n_out = widths[-2:]
    arrays[f"{len(layers)}.weight"] = _normal(rng, (n_out, n_in))
    return Part((*layers, LinearLayer(n_in, n_out, False)), arrays)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape, np.float32) / np.float32(shape[1] ** 0.5)
