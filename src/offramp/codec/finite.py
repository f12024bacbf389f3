"""The first value of an array that a neural network has no use for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def first_not_finite(values: npt.NDArray[Any]) -> int | None:
    """The flat index of the first NaN or infinity, None where there is none."""
    finite = np.isfinite(values)
    return None if finite.all() else int(np.argmin(finite))
