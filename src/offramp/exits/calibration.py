"""What makes an exit's confidence mean something: a temperature, or the weights of a learned score.

Both are fitted to samples that the exit was not trained on. Whoever certifies a threshold does so on others.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from offramp.exits.confidence import Vector, below_best
from offramp.exits.samples import checked_labels, checked_right, checked_scores

TEMPERATURES = (0.05, 20.0)  # the coldest and the warmest that `fit_temperature` gives
_MAX_STEPS = 100
_RIDGE = 1.0  # on weights of features with spread 1, against a log-loss summed over the samples
_RIDGE_OF_CONSTANT = 1e-9  # only keeps the equations solvable


def fit_temperature(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The temperature with the least negative log-likelihood of the labels, in TEMPERATURES.

    One sample's worth of "any class" is mixed into the labels (Platt 1999 does the like). Without it, samples
    that are all classified right would want a temperature of 0, which leaves every confidence at 1; with many
    samples it changes next to nothing. Scores that say nothing, or the opposite of the truth, give the
    warmest temperature, and scores that are all equal give 1.

    Args:
        scores: (N, n_classes), finite.
        labels: (N,) class numbers.

    Raises:
        InputError: shapes that do not agree, no samples, scores that are not finite, labels that are no
            classes.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.
    """
    below = below_best(checked_scores(scores))  # (N, n_classes)
    truth = checked_labels(labels, below.shape)
    if not below.any():
        return 1.0
    n = len(truth)
    of_truth = below[np.arange(n), truth].mean()
    wanted = (n * of_truth + below.mean()) / (n + 1)

    # In the inverse temperature the loss is convex, so its slope only rises: Newton's steps in a bracket.
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    if _slope(below, low, wanted)[0] >= 0:
        return TEMPERATURES[1]
    if _slope(below, high, wanted)[0] <= 0:
        return TEMPERATURES[0]
    inverse = 1.0
    for _ in range(_MAX_STEPS):
        slope, curvature = _slope(below, inverse, wanted)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / curvature if curvature > 0 else low
        following = step if low < step < high else (low + high) / 2
        if abs(following - inverse) <= 1e-12 * inverse:
            break
        inverse = following
    return 1 / inverse


def _slope(below: Vector, inverse: float, wanted: float) -> tuple[float, float]:
    """First and second derivative by the inverse temperature of the mean negative log-likelihood."""
    p = np.exp(below * inverse)
    p /= p.sum(axis=1, keepdims=True)
    mean = (p * below).sum(axis=1)
    variance = (p * np.square(below)).sum(axis=1) - np.square(mean)
    return float(mean.mean() - wanted), float(variance.mean())


def fit_learned(scores: npt.ArrayLike, right: npt.ArrayLike) -> tuple[float, ...]:
    """Weights of the criterion `learned`: how likely the exit is right, from its scores in descending order.

    A logistic regression with a ridge on standardised features, so few samples give weights near 0. The
    targets are Platt's, (n_right + 1) / (n_right + 2) and 1 / (n_wrong + 2) instead of 1 and 0. If all
    samples are right, or all wrong, the scores teach nothing: every sample gets the same confidence, by
    Laplace's rule (n_right + 1) / (n + 2), and a threshold lets all of them exit or none.

    Args:
        scores: (N, n_classes), finite, divided by the temperature of the rule that the weights are for.
        right: (N,) booleans, whether the exit's verdict is right.

    Returns:
        One weight for each class and a constant; the former sum to 0, so that adding a constant to all scores
        changes nothing.

    Raises:
        InputError: shapes that do not agree, no samples, scores that are not finite, `right` not of booleans.

    Source: Platt, Probabilistic Outputs for Support Vector Machines, 1999, for the targets.
    """
    values = checked_scores(scores)
    outcome = checked_right(right, len(values))
    n_right, n_wrong = int(outcome.sum()), int((~outcome).sum())
    features = np.sort(below_best(values), axis=1)[:, -2::-1]  # (N, n_classes - 1): the largest is 0
    if not (n_right and n_wrong):
        return (*np.zeros(values.shape[1]).tolist(), math.log((n_right + 1) / (n_wrong + 1)))
    mean, spread = features.mean(axis=0), features.std(axis=0)
    varies = spread > 1e-9 * np.abs(mean)  # a constant feature has no say
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=varies)
    target = np.where(outcome, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
    solution = _logistic_regression((features - mean) * scale, target)
    weights = solution[:-1] * scale
    constant = solution[-1] - weights @ mean
    return (-float(weights.sum()), *weights.tolist(), float(constant))


def _logistic_regression(features: Vector, target: Vector) -> Vector:
    """Weights and constant (n_features + 1,) by iteratively reweighted least squares."""
    x = np.column_stack([features, np.ones(len(features))])
    ridge = np.append(np.full(features.shape[1], _RIDGE), _RIDGE_OF_CONSTANT)
    solution = np.zeros(x.shape[1])
    loss = _log_loss(x, target, ridge, solution)
    for _ in range(_MAX_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ solution, -500, 500)))
        slope = x.T @ (p - target) + ridge * solution
        curvature = (x.T * (p * (1 - p))) @ x + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        # A full step may go too far where p is near 0 or 1; in the end rounding lets none go down.
        candidates = (solution - step / 2**halvings for halvings in range(30))
        better = next((c for c in candidates if _log_loss(x, target, ridge, c) < loss), None)
        if better is None:
            break
        solution, loss = better, _log_loss(x, target, ridge, better)
    return solution


def _log_loss(x: Vector, target: Vector, ridge: Vector, solution: Vector) -> float:
    z = x @ solution
    return float((np.logaddexp(0, z) - target * z).sum() + (ridge * np.square(solution)).sum() / 2)
