"""How a search goes about it."""

from dataclasses import dataclass

from offramp.errors import ConfigError
from offramp.train import RECIPES
from offramp.train.distil import TEMPERATURE

DISTIL_WEIGHTS = (0.0, 0.5, 0.9)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a search goes about it.

    Args:
        n_trials: networks to train, those of an interrupted search included; None for no limit but the time.
        time_limit_s: of this call; what is trained then is given up.
        epochs: of the rungs, ascending. Every training is one of its own, since the cosine ends at 0.
        n_new: networks that a round begins with.
        recipe, batch_size: of all trainings; the recipe's own epochs and batch do not count.
        distill_weights: a teacher's shares of what networks learn that are drawn from; 0 is by labels alone.
        temperature: of the teacher's word, see `Distillation`.
        seed: of the proposals, and of every training's patterns, weights and order.
        workers: processes, as `fit_each` takes them.

    Raises:
        ConfigError: a setting outside its range.
    """

    n_trials: int | None = 96
    time_limit_s: float | None = None
    epochs: tuple[int, ...] = (3, 9, 27)
    n_new: int = 24
    recipe: str = "cosine"
    batch_size: int = 256
    distill_weights: tuple[float, ...] = DISTIL_WEIGHTS
    temperature: float = TEMPERATURE
    seed: int = 0
    workers: int | None = None

    def __post_init__(self) -> None:
        if not self.epochs or min(self.epochs) < 1 or list(self.epochs) != sorted(set(self.epochs)):
            raise ConfigError(f"epochs={self.epochs} must be whole numbers of 1 or more, ascending: 3, 9, 27")
        if self.n_trials is None and self.time_limit_s is None:
            raise ConfigError("a search without end; give n_trials or time_limit_s")
        for name in ("n_trials", "time_limit_s", "n_new"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ConfigError(f"{name}={value} must be more than 0")
        weights = self.distill_weights
        if not weights or len(set(weights)) < len(weights) or not all(0 <= w <= 1 for w in weights):
            raise ConfigError(f"distill_weights={weights} must be different shares in 0..1, one or more")
        if self.recipe not in RECIPES or RECIPES[self.recipe].train_on_everything:
            raise ConfigError(
                f"recipe={self.recipe!r} cannot be searched with, it must keep validation samples apart"
            )
