"""Confidence of a classifier in its own verdict.

Every criterion takes scores (N, n_classes) and gives (N,) float64 in [0, 1], larger where it is surer.
Neither the order of the classes nor a constant added to all scores changes it. A row that holds NaN or
infinity has no verdict: its confidence is NaN. A `temperature` above 1 makes the softmax less sure, below 1
surer; the verdict stays the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError

Vector = npt.NDArray[np.float64]


def softmax(scores: npt.ArrayLike, temperature: float = 1.0) -> Vector:
    """Probabilities (N, n_classes) of scores (N, n_classes) / temperature; a row without a verdict is NaN."""
    exponentials = np.exp(below_best(scores, temperature))
    probabilities: Vector = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def max_softmax(scores: npt.ArrayLike, temperature: float = 1.0) -> Vector:
    """The largest softmax probability of each row, in [1 / n_classes, 1]."""
    confidence: Vector = 1.0 / np.exp(below_best(scores, temperature)).sum(axis=1)
    return confidence  # the largest exponential is exp(0) = 1


def entropy(scores: npt.ArrayLike, temperature: float = 1.0) -> Vector:
    """1 - H / log n_classes, with H the entropy of the softmax: 0 where all classes are equally likely."""
    p = softmax(scores, temperature)
    if p.shape[1] == 1:
        return p[:, 0]  # one class leaves no doubt, and log 1 is 0
    surprise = -np.log(p, out=np.zeros_like(p), where=p != 0)  # 0 log 0 is 0; NaN stays
    confidence: Vector = np.clip(1.0 - (p * surprise).sum(axis=1) / np.log(p.shape[1]), 0.0, 1.0)
    return confidence


def margin(scores: npt.ArrayLike, temperature: float = 1.0) -> Vector:
    """The largest softmax probability less the second largest."""
    p = softmax(scores, temperature)
    if p.shape[1] == 1:
        return p[:, 0]
    runner_up, best = np.partition(p, -2, axis=1)[:, -2:].T
    confidence: Vector = best - runner_up
    return confidence


def learned(scores: npt.ArrayLike, temperature: float, weights: tuple[float, ...]) -> Vector:
    """sigmoid(weights[:-1] . x + weights[-1]) of x, the scores less their largest, / temperature, descending.

    The weights that `fit_learned` finds sum to 0 but for the constant: with them, the largest need not be
    subtracted. NaN also where the sum is beyond float64.

    Raises:
        InputError: weights that are not one for each class and a constant.
    """
    x = np.sort(below_best(scores, temperature), axis=1)[:, ::-1]
    if len(weights) != x.shape[1] + 1:
        raise InputError(
            f"{len(weights)} weights for {x.shape[1]} classes; the learned criterion needs {x.shape[1] + 1}:"
            " one for each class and a constant"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # exp(-z) is inf where the confidence is 0
        confidence: Vector = 1.0 / (1.0 + np.exp(-(x @ np.array(weights[:-1]) + weights[-1])))
    return confidence


def below_best(scores: npt.ArrayLike, temperature: float = 1.0) -> Vector:
    """Scores less their row's largest, / temperature: 0 or less, NaN without a verdict."""
    # float64 whatever comes in: a threshold chosen in training must cut the same samples on the device.
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 1:
        raise InputError(f"scores of shape {values.shape}; give a matrix (n_samples, n_classes)")
    values = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(over="ignore"):  # -inf, with a probability of 0, is as near as float64 comes
        below: Vector = (values - values.max(axis=1, keepdims=True)) / temperature  # max passes NaN on
    return below
