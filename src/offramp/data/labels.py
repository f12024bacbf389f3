"""Labels of any kind to class numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.data.dataset import IntArray
from offramp.errors import DataError


def encode_labels(where: str, values: npt.NDArray[Any]) -> tuple[IntArray, tuple[str, ...]]:
    """(N,) class numbers, and the names of the classes in ascending order (numbers as numbers).

    Raises:
        DataError: labels that are not 1-D, neither text nor integers, empty, or all the same.
    """
    if values.ndim != 1 or values.dtype.kind not in "Uiub":
        raise DataError(f"{where} are {values.dtype} {values.shape}; labels are (N,) integers or text")
    if values.dtype.kind == "U" and not np.all(values != ""):
        raise DataError(
            f"{where}: sample {int(np.argmin(values != ''))} has no label; fill it in or remove it"
        )
    names, y = np.unique(values, return_inverse=True)
    if len(names) < 2:
        found = repr(str(names[0])) if len(names) else "nothing"
        raise DataError(f"{where} hold {found} only; a classifier needs two classes or more")
    return y.astype(np.int64), tuple(str(name) for name in names)
