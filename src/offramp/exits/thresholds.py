"""Choosing a threshold from calibration data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError
from offramp.exits.confidence import max_softmax
from offramp.exits.rule import NEVER, ExitRule


def empirical_threshold(
    exit_scores: npt.ArrayLike,
    tail_scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    max_accuracy_drop: float = 0.005,
    data_digest: str | None = None,
) -> ExitRule:
    """The rule with the largest exit rate whose accuracy on these samples is close enough to the tail's.

    It is fitted to the samples it is judged by: on others it may lose more, and nothing is guaranteed.

    Args:
        exit_scores, tail_scores: (N, n_classes), of the same samples, unseen in training.
        labels: (N,) class numbers.
        max_accuracy_drop: accuracy that may be lost against always asking the tail, in [0, 1].
        data_digest: names the samples in the evidence.

    Raises:
        InputError: shapes that do not agree, no samples, scores that are not finite, a drop outside [0, 1].
    """
    exits, tails, truth = _checked(exit_scores, tail_scores, labels)
    if not 0 <= max_accuracy_drop <= 1:
        raise InputError(f"max_accuracy_drop={max_accuracy_drop}; use a share in [0, 1]")
    n = len(truth)
    tail_right = tails.argmax(axis=1) == truth
    exit_right = exits.argmax(axis=1) == truth

    confidence = max_softmax(exits)
    order = np.argsort(-confidence, kind="stable")
    confidence = confidence[order]
    # lost[k]: answers lost (net) when the k surest samples exit
    lost = np.concatenate([[0], np.cumsum(tail_right[order].astype(int) - exit_right[order].astype(int))])
    apart = np.concatenate(
        [[True], confidence[:-1] > confidence[1:], [True]]
    )  # equal confidences exit together
    allowed = apart & (lost <= max_accuracy_drop * n + 1e-9)
    n_exits = int(np.flatnonzero(allowed)[-1])  # k = 0 is always allowed

    evidence: dict[str, object] = {
        "method": "empirical",
        "guarantee": "none",
        "n": n,
        "max_accuracy_drop": max_accuracy_drop,
        "accuracy_drop": int(lost[n_exits]) / n,
        "exit_rate": n_exits / n,
        "tail_accuracy": float(tail_right.mean()),
        "exit_accuracy": float(exit_right.mean()),
    }
    if data_digest is not None:
        evidence["data_digest"] = data_digest
    return ExitRule(_threshold_after(confidence, n_exits), evidence=evidence)


def _threshold_after(confidence: npt.NDArray[np.float64], n_exits: int) -> float:
    """A threshold that the first `n_exits` of these descending confidences reach, and no other."""
    if n_exits == 0:
        return NEVER
    last = float(confidence[n_exits - 1])
    if n_exits == len(confidence):
        return last  # below it nothing is known
    following = float(confidence[n_exits])
    # Halfway: the device's float32 sums may differ in the last digit from those seen here.
    middle = (last + following) / 2
    return middle if middle > following else last


def _checked(
    exit_scores: npt.ArrayLike, tail_scores: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    exits = np.asarray(exit_scores, dtype=np.float64)
    tails = np.asarray(tail_scores, dtype=np.float64)
    truth = np.asarray(labels)
    if exits.ndim != 2 or exits.shape != tails.shape or truth.shape != exits.shape[:1]:
        raise InputError(
            f"exit scores {exits.shape}, tail scores {tails.shape} and labels {truth.shape} do not belong"
            " together; give (N, n_classes), (N, n_classes) and (N,)"
        )
    if len(truth) == 0:
        raise InputError("no calibration samples; give at least one")
    if not np.issubdtype(truth.dtype, np.integer):
        raise InputError(f"labels of type {truth.dtype}; give class numbers")
    if not (np.isfinite(exits).all() and np.isfinite(tails).all()):
        raise InputError("calibration scores hold NaN or infinity; look for a diverged training")
    return exits, tails, truth.astype(np.int64)
