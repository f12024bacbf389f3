"""Confidence of a classifier in its own verdict."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError


def softmax(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Probabilities (N, n_classes) of scores (N, n_classes), in float64.

    A row that holds NaN or +inf, or nothing but -inf, gives NaN.
    """
    exponentials = _shifted_exponentials(scores)
    probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def max_softmax(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The largest softmax probability of each row: (N, n_classes) -> (N,), in [1 / n_classes, 1] or NaN."""
    confidence: npt.NDArray[np.float64] = 1.0 / _shifted_exponentials(scores).sum(axis=1)
    return confidence  # the largest exponential is exp(0) = 1


def _shifted_exponentials(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    # float64 whatever comes in: a threshold chosen in training must cut the same samples on the device.
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 1:
        raise InputError(f"scores of shape {values.shape}; give a matrix (n_samples, n_classes)")
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is the answer we promise
        shifted: npt.NDArray[np.float64] = np.exp(values - values.max(axis=1, keepdims=True))
    return shifted
