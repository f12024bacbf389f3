"""Grids for the activations of a bundle's device parts: what integers stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle, Part, Quantisation
from offramp.codec import Grid, GriddedCodec, fit_grid
from offramp.errors import ConfigError
from offramp.int8 import steps_of
from offramp.runtime import Network
from offramp.runtime.network import FloatArray

_BITS = 8
_AT_ONCE = 4096  # samples; bounds the memory of preprocessed inputs


def fitted_grids(bundle: Bundle, samples: npt.NDArray[Any], *, threads: int = 1) -> Quantisation:
    """The grids with the least squared error on what the float32 device computes; the rule is still its own.

    Args:
        bundle: with head, exit and, where the network has one, encoder.
        samples: raw, (n, *shape), n > 0.

    Raises:
        ConfigError: no samples, a part is not here, or a layer that has no form in integers.
        DataError: samples that the network cannot digest.
    """
    if len(samples) == 0:
        raise ConfigError("no samples to fit grids to; give at least one")
    x = np.concatenate(
        [bundle.preprocessing(samples[i : i + _AT_ONCE]) for i in range(0, len(samples), _AT_ONCE)]
    )
    input = None
    if bundle.preprocessing.dtype != "uint8":
        # Column after column: every input is among those that candidates are compared on. None that pads is.
        values = np.ascontiguousarray(x[:, : bundle.preprocessing.n_values].T)
        input = fit_grid(values.reshape(-1, 1), _BITS)
    head, features = _of_part("head", bundle.parts.get("head"), x, threads)
    exit, _ = _of_part("exit", bundle.parts.get("exit"), features, threads)
    grids = {"head": head, "exit": exit[:-1]}  # the last ones are scores
    if bundle.encoder_digest:
        grids["encoder"], _ = _of_part("encoder", bundle.parts.get("encoder"), features, threads)
    if isinstance(bundle.codec, GriddedCodec):  # it has the grid of what is sent
        sender = "encoder" if bundle.encoder_digest else "head"
        grids[sender] = grids[sender][:-1]
    return Quantisation(input, grids, bundle.exit_rule)


def _of_part(
    name: str, part: Part | None, x: FloatArray, threads: int
) -> tuple[tuple[Grid, ...], FloatArray]:
    """Grids of what each junction, with its ReLU, gives for x, and what the last one does."""
    if part is None:
        raise ConfigError(f"no {name} is here; quantising takes all parts, copy its file into the folder")
    grids, start = [], 0
    for step in steps_of(name, part):
        stop = step.place + 1 + step.relu
        x = Network(part, threads=threads, start=start, stop=stop)(x)
        grids.append(fit_grid(x, _BITS))
        start = stop
    return tuple(grids), x
