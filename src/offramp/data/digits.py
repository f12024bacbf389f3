"""The handwritten digits that scikit-learn carries: 1,797 images, 8 x 8, values 0..16. No network needed."""

from __future__ import annotations

import numpy as np

from offramp.data.dataset import Dataset
from offramp.data.extra import load_extra
from offramp.data.splits import stratified


def load_digits(*, seed: int) -> Dataset:
    """The data set `digits`: x (1797, 8, 8) uint8."""
    bunch = load_extra("sklearn.datasets", purpose="the data set digits").load_digits()
    y = bunch.target.astype(np.int64)
    classes = tuple(str(name) for name in bunch.target_names)
    splits = stratified(y, classes, seed=seed)
    return Dataset("digits", bunch.images.astype(np.uint8), y, classes, splits, full_scale=16)
