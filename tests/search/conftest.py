"""Images small enough for a search in a blink."""

from typing import Any

import numpy as np
import pytest

from offramp.data import Dataset


class Sealed(Dataset):
    """A data set whose test split may not be read."""

    def split(self, name: Any) -> Any:
        assert name != "test", "the test split was read"
        return super().split(name)

    def digest(self, name: Any) -> str:
        assert name != "test", "the test split was read"
        return super().digest(name)


def sealed_images(test_value: int = 0) -> Sealed:
    """Ten classes of 8 x 8 byte images, each with a bright spot of its own; the test images are all alike."""
    rng = np.random.default_rng(0)
    y = np.arange(340) % 10
    x = rng.integers(0, 90, (340, 8, 8))
    for label in range(10):
        row, column = divmod(label, 4)
        x[y == label, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += 120
    x[300:] = test_value
    first = (0, 200, 260, 300, 340)
    names = ("train", "validation", "calibration", "test")
    splits: Any = {name: np.arange(a, b) for name, a, b in zip(names, first, first[1:], strict=False)}
    return Sealed("spots", x.astype(np.uint8), y.astype(np.int64), tuple("0123456789"), splits)


@pytest.fixture
def images() -> Sealed:
    return sealed_images()
