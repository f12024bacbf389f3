"""What decides a training run besides the network, the data and the seed."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from offramp.errors import ConfigError
from offramp.train.distil import TEMPERATURE

Schedule = Literal["inverse_time", "warmup_cosine"]
Initialisation = Literal["dense_fan_in", "in_degree"]
Split = Literal["train", "validation", "calibration"]
ExitTraining = Literal["joint", "frozen", "mixed"]
Phase = Literal["joint", "backbone", "exits"]

_LATER = ("exits", "self_distillation", "temperature")  # fields that earlier records do not have
_NEVER = object()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Adam on the cross-entropy of tail and exit, without weight decay.

    Change a recipe with `dataclasses.replace(RECIPES["cosine"], epochs=10)`.

    Args:
        name: what the records call it.
        epochs, batch_size: passes over the data, samples a step; the last, smaller batch is used too.
        schedule: "inverse_time": learning_rate / (1 + decay * step); "warmup_cosine": rises linearly over
            `warmup_steps` (at most a tenth of the run), then falls to 0 along half a cosine.
        init: He-normal by the true in-degree ("in_degree"), or as Keras' he_normal does it on the masked
            dense matrix ("dense_fan_in"; see `initialise`).
        initial_bias: of every layer.
        exit_weight: weight of the exits' mean loss beside the tail's 1, where both are trained together: all
            exits have the same share of it, and the tail's is the same however many there are.
        train_on_everything: also train on the validation and calibration splits, as the paper does; what is
            measured on these two splits is then optimistic.
        exits: "joint": head, exits and tail at once, all the time. "frozen": first the backbone (head,
            encoder, tail) alone, then the exits alone on what it gives. "mixed": first the backbone, then all
            at once. The second phase has a third of the epochs, rounded down but at least one; each phase
            goes through the whole schedule of learning rates. A model without exits is trained by "joint".
        self_distillation: w, in 0..1: exits learn from (1 - w) * target + w * softmax(tail's scores /
            temperature), the tail's scores as they are at that step and without gradient. The tail's targets
            stay what they are.
        temperature: of the tail's scores in it, above 0.

    Source of the ways to train exits: arXiv:2407.14320.
    """

    name: str
    learning_rate: float
    schedule: Schedule
    init: Initialisation
    epochs: int = 50
    batch_size: int = 256
    decay: float = 0.0
    warmup_steps: int = 0
    initial_bias: float = 0.0
    exit_weight: float = 0.5
    train_on_everything: bool = False
    exits: ExitTraining = "joint"
    self_distillation: float = 0.0
    temperature: float = TEMPERATURE

    def __post_init__(self) -> None:
        _check("epochs", self.epochs, self.epochs >= 1, "at least 1")
        _check("batch_size", self.batch_size, self.batch_size >= 1, "at least 1")
        _check("learning_rate", self.learning_rate, 0 < self.learning_rate < math.inf, "positive, as in 1e-3")
        _check("decay", self.decay, 0 <= self.decay < math.inf, "0 or more")
        _check("warmup_steps", self.warmup_steps, self.warmup_steps >= 0, "0 or more")
        _check("initial_bias", self.initial_bias, math.isfinite(self.initial_bias), "finite")
        _check("exit_weight", self.exit_weight, 0 <= self.exit_weight < math.inf, "0 or more")
        _check("self_distillation", self.self_distillation, 0 <= self.self_distillation <= 1, "in 0..1")
        _check(
            "temperature", self.temperature, 0 < self.temperature < math.inf, "above 0 and finite, as in 4"
        )
        choices = {"schedule": Schedule, "init": Initialisation, "exits": ExitTraining}
        for name, allowed in ((name, get_args(choice)) for name, choice in choices.items()):
            value = getattr(self, name)
            _check(name, value, value in allowed, "one of " + ", ".join(allowed))

        if self.exits != "joint":
            _check("epochs", self.epochs, self.epochs >= 2, f"at least 2 with exits={self.exits!r}")

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, by which records and checkpoints know a recipe.

        Settings that earlier versions had not are left out where they change nothing, so that what was
        trained before goes on.
        """
        later = {field.name: field.default for field in fields(self) if field.name in _LATER}
        if not self.self_distillation:
            later["temperature"] = self.temperature
        return {name: value for name, value in asdict(self).items() if value != later.get(name, _NEVER)}

    @property
    def phases(self) -> tuple[tuple[Phase, int], ...]:
        """What is trained one after the other, and for how many epochs, for a model with exits."""
        second = max(1, self.epochs // 3)
        match self.exits:
            case "joint":
                return (("joint", self.epochs),)
            case "frozen":
                return ("backbone", self.epochs - second), ("exits", second)
            case "mixed":
                return ("backbone", self.epochs - second), ("joint", second)

    @property
    def splits(self) -> tuple[Split, ...]:
        """What is trained on, in the order in which samples are numbered."""
        return ("train", "validation", "calibration") if self.train_on_everything else ("train",)

    def learning_rate_at(self, step: int, *, n_steps: int) -> float:
        """Learning rate of step 0 .. n_steps - 1."""
        if self.schedule == "inverse_time":
            return self.learning_rate / (1 + self.decay * step)
        warmup = min(self.warmup_steps, n_steps // 10)
        if step < warmup:
            return self.learning_rate * (step + 1) / warmup
        return self.learning_rate * (1 + math.cos(math.pi * (step - warmup) / (n_steps - warmup))) / 2


def _check(name: str, value: object, valid: bool, rule: str) -> None:
    if not valid:
        raise ConfigError(f"{name}={value!r} of a recipe must be {rule}")


RECIPES = {
    # The code published with arXiv:2407.11763.
    "paper": Recipe(
        name="paper",
        learning_rate=1e-3,
        schedule="inverse_time",
        decay=1e-5,
        init="dense_fan_in",
        initial_bias=0.1,
        train_on_everything=True,
    ),
    # Learning rate and batch were chosen on validation samples of MNIST, by rows 6, 15 and 18 of the paper
    # with 4x4 blocks.
    "cosine": Recipe(
        name="cosine",
        learning_rate=6e-3,
        batch_size=128,
        schedule="warmup_cosine",
        warmup_steps=200,
        init="in_degree",
    ),
}
