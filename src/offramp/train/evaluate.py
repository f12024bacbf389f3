"""How often a model is right."""

from typing import Any, NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor, nn

from offramp.errors import DataError

_BATCH = 2048


class Accuracies(NamedTuple):
    """Shares of right answers, in 0..1; `exit` is None for a model without one."""

    exit: float | None
    tail: float


def evaluate(model: nn.Module, x: npt.NDArray[Any] | Tensor, y: npt.NDArray[Any] | Tensor) -> Accuracies:
    """Accuracy of the scores, and of the exit's where the model gives (exit scores, tail scores).

    Args:
        model: left in the mode, training or evaluation, in which it came.
        x: preprocessed features (n, n_features).
        y: labels (n,).

    Raises:
        DataError: no samples, or not one label for each.
    """
    features, labels = torch.as_tensor(x), torch.as_tensor(y)
    if len(features) == 0 or len(features) != len(labels):
        raise DataError(
            f"{len(features)} samples and {len(labels)} labels; give one label a sample, at least one"
        )
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            right = [
                _n_right(model(features[start : start + _BATCH]), labels[start : start + _BATCH])
                for start in range(0, len(features), _BATCH)
            ]
    finally:
        model.train(was_training)
    exits, tails = zip(*right, strict=True)
    return Accuracies(
        None if exits[0] is None else sum(exits) / len(labels),
        sum(tails) / len(labels),
    )


def _n_right(output: Tensor | tuple[Tensor, Tensor], labels: Tensor) -> tuple[int | None, int]:
    if isinstance(output, Tensor):
        return None, int((output.argmax(1) == labels).sum())
    exit_scores, tail_scores = output
    return int((exit_scores.argmax(1) == labels).sum()), int((tail_scores.argmax(1) == labels).sum())
