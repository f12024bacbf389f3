"""Choosing a threshold from calibration data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError
from offramp.exits.confidence import Vector
from offramp.exits.rule import NEVER, ExitRule
from offramp.exits.samples import checked_confidence, checked_labels, checked_scores


def empirical_threshold(
    exit_scores: npt.ArrayLike,
    tail_scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    max_accuracy_drop: float = 0.005,
    rule: ExitRule | None = None,
    data_digest: str | None = None,
) -> ExitRule:
    """The rule with the largest exit rate whose accuracy on these samples is close enough to the tail's.

    It is fitted to the samples it is judged by: on others it may lose more, and nothing is guaranteed.

    Args:
        exit_scores, tail_scores: (N, n_classes), of the same samples, unseen in training.
        labels: (N,) class numbers.
        max_accuracy_drop: accuracy that may be lost against always asking the tail, in [0, 1].
        rule: how sure the exit is (criterion, temperature, weights); its threshold and evidence are replaced.
            Without it, max_softmax.
        data_digest: names the samples in the evidence.

    Raises:
        InputError: shapes that do not agree, no samples, scores that are not finite, labels that are no
            classes, a drop outside [0, 1].
    """
    exits, tails, truth = _checked(exit_scores, tail_scores, labels)
    if not 0 <= max_accuracy_drop <= 1:
        raise InputError(f"max_accuracy_drop={max_accuracy_drop}; use a share in [0, 1]")
    n = len(truth)
    tail_right = tails.argmax(axis=1) == truth
    exit_right = exits.argmax(axis=1) == truth

    rule = rule or ExitRule(NEVER)
    confidence = checked_confidence(rule.confidence(exits))
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
    return replace(rule, threshold=_threshold_after(confidence, n_exits), evidence=evidence)


def _threshold_after(confidence: Vector, n_exits: int) -> float:
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
) -> tuple[Vector, Vector, npt.NDArray[np.int64]]:
    shapes = np.shape(exit_scores), np.shape(tail_scores), np.shape(labels)
    if len(shapes[0]) != 2 or shapes[0] != shapes[1] or shapes[2] != shapes[0][:1]:
        raise InputError(
            f"exit scores {shapes[0]}, tail scores {shapes[1]} and labels {shapes[2]} do not belong"
            " together; give (N, n_classes), (N, n_classes) and (N,)"
        )
    exits = checked_scores(exit_scores)
    return exits, checked_scores(tail_scores), checked_labels(labels, exits.shape)
