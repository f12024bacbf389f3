"""What a training run went through."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from offramp.train.recipe import Phase


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data.

    Args:
        epoch: counted from 1.
        train_loss: mean over the samples, as the weights were when each was seen.
            Where exits learn alone, the sum of their losses.
        exit_accuracy, tail_accuracy: on the validation split after the epoch, in 0..1; the exit's is None for
            a model without one.
        learning_rate: of the last step.
        seconds: training and validation, of all runs that shared the epoch.
        phase: what was trained: everything ("joint"), head, encoder and tail ("backbone"), or "exits".
        inner_accuracies: as `exit_accuracy`, of inner exits by name, as in "exit-head-2".
    """

    epoch: int
    train_loss: float
    exit_accuracy: float | None
    tail_accuracy: float
    learning_rate: float
    seconds: float
    phase: Phase = "joint"
    inner_accuracies: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """The epochs of a run, and what decided it.

    `fused` says whether the native training step was taken, in every phase.
    """

    recipe: str
    seed: int
    fused: bool
    epochs: tuple[Epoch, ...]

    @property
    def seconds(self) -> float:
        """Time of all epochs."""
        return sum(epoch.seconds for epoch in self.epochs)

    def followed_by(self, other: "History") -> "History":
        """This run and one that went on with its model, as one."""
        n = len(self.epochs)
        later = tuple(replace(epoch, epoch=n + epoch.epoch) for epoch in other.epochs)
        return replace(self, fused=self.fused and other.fused, epochs=self.epochs + later)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """One JSON object; `from_json` gives the same history back."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The history that `to_json` wrote."""
        values = json.loads(text)
        epochs = tuple(Epoch(**epoch) for epoch in values["epochs"])
        return cls(values["recipe"], values["seed"], values["fused"], epochs)
