"""Outcomes drawn from a population whose risks are known exactly: a large pool, sampled with replacement."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from offramp.exits.guarantee import Outcomes


@cache
def _pool(n_exits: int, n: int = 6000) -> Outcomes:
    """Exits that are right more often the surer they are, and a tail that is right most of the time."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, n)
    confidence = rng.random((n_exits, n)) ** 0.2
    exit_wrong = rng.random((n_exits, n)) < 0.8 * (1 - confidence) ** 1.5
    tail_wrong = rng.random(n) < 0.01 + 0.05 * exit_wrong[0]
    off = rng.integers(1, 10, (n_exits, n))
    return Outcomes(
        confidence,
        np.where(exit_wrong, (labels + off) % 10, labels),
        np.where(tail_wrong, (labels + off[0]) % 10, labels),
        labels,
        np.arange(n_exits) < max(1, n_exits - 1),
    )


@pytest.fixture(scope="session")
def population() -> Callable[[int], Outcomes]:
    """By number of exits."""
    return _pool


@pytest.fixture(scope="session")
def drawn() -> Callable[..., Outcomes]:
    """Independent samples of a population."""

    def draw(n: int, *, n_exits: int = 1, seed: int) -> Outcomes:
        population = _pool(n_exits)
        return population.take(np.random.default_rng(seed).integers(0, population.n, n))

    return draw
