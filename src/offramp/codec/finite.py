"""Features that can be coded: rows of finite values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError

_AT_ONCE = 1 << 14


def first_not_finite(values: npt.NDArray[Any]) -> int | None:
    """The flat index of the first NaN or infinity, None where there is none."""
    flat = values.reshape(-1)
    for start in range(0, len(flat), _AT_ONCE):  # hostile values take no more memory than they did
        finite = np.isfinite(flat[start : start + _AT_ONCE])
        if not finite.all():
            return start + int(np.argmin(finite))
    return None


def check_rows(features: npt.NDArray[np.float32]) -> None:
    """Raise InputError unless these are rows (n_rows, n_features) of finite features."""
    if features.ndim != 2:
        raise InputError(
            f"features of shape {features.shape} cannot be coded; give rows (n_rows, n_features)"
        )
    if (index := first_not_finite(features)) is not None:
        raise InputError(f"{named(features, index)}; only finite features can be coded")


def named(features: npt.NDArray[np.float32], index: int) -> str:
    """The feature at a flat index, in words."""
    row, feature = divmod(index, features.shape[1])
    place = f"feature {feature} of row {row}" if len(features) > 1 else f"feature {feature}"
    return f"{place} is {features[row, feature]}"
