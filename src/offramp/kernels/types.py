"""The array types of the kernels."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
Float32Array = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.integer[Any]]
Block = tuple[int, int]
