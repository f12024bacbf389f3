"""A data set small enough to train on in a blink."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from offramp.bundle import Preprocessing
from offramp.data import Dataset


def _blobs(n: int = 220, seed: int = 0) -> Dataset:
    """Four classes of 4 x 4 byte images, each bright in its own quarter."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    x = rng.integers(0, 90, (n, 4, 4))
    for quarter in range(4):
        x[y == quarter, quarter] += 100
    first = np.array([0, n - 120, n - 80, n - 40, n])
    names = ("train", "validation", "calibration", "test")
    splits = {name: np.arange(a, b) for name, a, b in zip(names, first, first[1:], strict=False)}
    return Dataset("blobs", x.astype(np.uint8), y.astype(np.int64), ("a", "b", "c", "d"), splits)


@pytest.fixture
def blobs() -> Dataset:
    """100 samples to train on, 40 in each of the other splits."""
    return _blobs()


@pytest.fixture
def other_blobs() -> Dataset:
    """The same in shape, with other samples."""
    return _blobs(seed=1)


@pytest.fixture
def preprocessing() -> Preprocessing:
    return Preprocessing((4, 4), "uint8", scale=1 / 255)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on two threads than on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
