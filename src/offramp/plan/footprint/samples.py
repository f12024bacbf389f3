"""Samples to count on: their values are of no matter, but for how many are 0."""

from __future__ import annotations

import numpy as np

from offramp.export.c import Program

N_SAMPLES = 4


def samples(program: Program, zero_share: float) -> bytes:
    """Raw samples, as the probe reads them."""
    rule = program.bundle.preprocessing
    rng = np.random.default_rng(0)
    if rule.dtype == "float32":
        spread = rng.standard_normal((N_SAMPLES, *rule.shape)).reshape(N_SAMPLES, -1)
        scale = np.asarray(rule.scale, np.float64)
        return bytes((spread / np.where(scale == 0, 1, scale) + rule.offset).astype(np.float32).tobytes())
    sides = tuple(side // rule.pool for side in rule.shape) if rule.pool > 1 else rule.shape
    given = rng.random((N_SAMPLES, *sides)) >= zero_share
    if rule.pool > 1:
        given = given.repeat(rule.pool, axis=-1).repeat(rule.pool, axis=-2)
    return bytes((given * rng.integers(1, 256, given.shape)).astype(np.uint8).tobytes())
