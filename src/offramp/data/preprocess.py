"""The preprocessing that suits a data set."""

from __future__ import annotations

from typing import Literal

import numpy as np

from offramp.bundle import Preprocessing
from offramp.data.dataset import Dataset


def preprocessing_for(dataset: Dataset, *, pool: int = 1, pad_to: int | None = None) -> Preprocessing:
    """How samples of this data set become network inputs.

    Images of bytes are scaled to [0, 1]. Everything else is standardised after pooling: each feature has mean
    0 and deviation 1 over the training split, and one that is constant there is centred but not scaled.

    Args:
        pool: average over pool x pool windows, for 2-D samples whose sides it divides.
        pad_to: zeros at the end up to this many inputs.

    Raises:
        ConfigError: a pool or pad_to that the samples do not allow.
    """
    shape = dataset.shape
    dtype: Literal["uint8", "float32"] = "uint8" if dataset.x.dtype == np.uint8 else "float32"
    if dtype == "uint8" and len(shape) == 2:
        return Preprocessing(shape, "uint8", pool=pool, scale=1 / dataset.full_scale, pad_to=pad_to)
    raw, _ = dataset.split("train")
    pooled = Preprocessing(shape, dtype, pool=pool)(raw).astype(np.float64)
    deviation = pooled.std(axis=0)
    # Below float32's smallest normal number the scale would overflow.
    varies = deviation >= np.finfo(np.float32).tiny
    scale = np.where(varies, 1 / np.where(varies, deviation, 1), 1)
    return Preprocessing(
        shape,
        dtype,
        pool=pool,
        offset=tuple(pooled.mean(axis=0).tolist()),
        scale=tuple(scale.tolist()),
        pad_to=pad_to,
    )
