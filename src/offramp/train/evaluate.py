"""How often a model is right."""

from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn

from offramp.errors import DataError
from offramp.nn import SplitModel

_BATCH = 2048


@dataclass(frozen=True)
class Accuracies:
    """Shares of right answers, in 0..1.

    Args:
        exit: of the exit at the cut, None for a model without one.
        inner: of inner exits, by name as in `SplitModel.exit_names`, in order of execution.
    """

    exit: float | None
    tail: float
    inner: dict[str, float] = field(default_factory=dict)


def evaluate(model: nn.Module, x: npt.NDArray[Any] | Tensor, y: npt.NDArray[Any] | Tensor) -> Accuracies:
    """Accuracy of the scores, or of every exit's and the tail's where the model gives several.

    Args:
        model: gives scores, (exit scores, tail scores), or what a `SplitModel` gives; left in the mode,
            training or evaluation, in which it came.
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
    *exits, tail = (sum(n) / len(labels) for n in zip(*right, strict=True))
    names = model.exit_names if isinstance(model, SplitModel) else ("exit",)[: len(exits)]
    inner = dict(zip(names, exits, strict=True))
    return Accuracies(inner.pop("exit", None), tail, inner)


def _n_right(output: Tensor | tuple[Tensor, ...], labels: Tensor) -> list[int]:
    """Of every exit and the tail."""
    outputs = (output,) if isinstance(output, Tensor) else output
    return [int((scores.argmax(1) == labels).sum()) for scores in outputs]
