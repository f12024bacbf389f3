"""Calibration samples, checked once before anything is fitted to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError
from offramp.exits.confidence import Vector

_LARGEST = 1e100  # squares of scores stay within float64


def checked_scores(scores: npt.ArrayLike) -> Vector:
    """Scores (N, n_classes) of at least one sample in float64, all finite; else InputError."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 1:
        raise InputError(f"scores of shape {values.shape}; give a matrix (n_samples, n_classes)")
    check_some(len(values))
    if not (np.abs(values) <= _LARGEST).all():  # NaN compares false
        raise InputError(
            f"calibration scores hold NaN or infinity, or exceed {_LARGEST:g}; look for a diverged training"
        )
    return values


def checked_labels(labels: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Class numbers (N,) that fit scores of this shape (N, n_classes); else InputError."""
    truth = np.asarray(labels)
    n, n_classes = shape
    if truth.shape != (n,):
        raise InputError(f"labels of shape {truth.shape} for {n} samples; give one class number a sample")
    if not np.issubdtype(truth.dtype, np.integer):
        raise InputError(f"labels of type {truth.dtype}; give class numbers")
    if truth.min() < 0 or truth.max() >= n_classes:
        raise InputError(
            f"labels from {truth.min()} to {truth.max()}; {n_classes} classes are 0..{n_classes - 1}"
        )
    return truth.astype(np.int64)


def checked_right(right: npt.ArrayLike, n: int) -> npt.NDArray[np.bool_]:
    """Booleans (n,), whether a verdict is right; else InputError."""
    outcome = np.asarray(right)
    if outcome.shape != (n,) or outcome.dtype != np.bool_:
        raise InputError(
            f"`right` of type {outcome.dtype} and shape {outcome.shape} for {n} samples;"
            " give one boolean a sample"
        )
    return outcome


def checked_confidence(confidence: npt.ArrayLike) -> Vector:
    """Confidences (N,) of at least one sample in float64, all in [0, 1]; else InputError."""
    values = np.asarray(confidence, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"confidences of shape {values.shape}; give one number a sample, (n_samples,)")
    check_some(len(values))
    outside = values[~((values >= 0) & (values <= 1))]
    if len(outside):
        raise InputError(
            f"a confidence of {outside[0]}; they lie in [0, 1], and NaN comes from scores that are not finite"
        )
    return values


def check_some(n: int) -> None:
    """InputError where there are no samples."""
    if n == 0:
        raise InputError("no calibration samples; give at least one")
