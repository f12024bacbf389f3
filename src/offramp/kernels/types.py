"""The array types of the kernels."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
Float32Array = npt.NDArray[np.float32]
BFloat16Array = npt.NDArray[np.uint16]  # the bits: NumPy has no such type
IndexArray = npt.NDArray[np.integer[Any]]
Block = tuple[int, int]
