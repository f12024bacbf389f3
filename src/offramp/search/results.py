"""A finished search, read again from its folder."""

from pathlib import Path

import msgspec

from offramp.errors import ConfigError, DataError
from offramp.search.candidate import Candidate
from offramp.search.settings import Settings

RESULTS = "results.json"


class _Settings(msgspec.Struct, frozen=True):
    n_trials: int | None
    time_limit_s: float | None
    epochs: tuple[int, ...]
    distill_weights: tuple[float, ...]
    temperature: float
    seed: int


class _Network(msgspec.Struct, frozen=True):
    neurons: tuple[int, ...]
    out_degrees: tuple[int, ...]
    block: tuple[int, int]
    pool: int
    distill_weight: float
    epochs: int
    validation_accuracy: float
    train_s: float

    def candidate(self) -> Candidate:
        return Candidate(self.neurons, self.out_degrees, self.block, self.pool, self.distill_weight)


class Results(msgspec.Struct, frozen=True):
    """What `offramp search` wrote: its data, budget and settings, and each network's longest training."""

    data: str
    budget: dict[str, int | float | None]
    settings: _Settings
    networks: list[_Network]

    def highest(self) -> list[tuple[Candidate, float]]:
        """The networks of the highest rung and their validation accuracies, in 0..1."""
        top = self.settings.epochs[-1]
        return [(one.candidate(), one.validation_accuracy) for one in self.networks if one.epochs == top]

    def command(self) -> str:
        """What to type for such a search; places are each reader's own."""
        settings, default = self.settings, Settings()
        options = {f"--{name.replace('_', '-')}": limit for name, limit in self.budget.items()}
        options["--trials"] = settings.n_trials
        options["--minutes"] = None if settings.time_limit_s is None else settings.time_limit_s / 60
        options["--seed"] = settings.seed or None
        given = [f"{name} {_spelled(value)}" for name, value in options.items() if value is not None]
        if settings.epochs != default.epochs:
            given.append(f"--epochs {','.join(map(str, settings.epochs))}")
        if not any(settings.distill_weights):
            given.append("--no-distill")
        return " ".join(["offramp search", f"--data {self.data}", *given])


def _spelled(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def read_results(folder: Path) -> Results:
    """What the folder of a finished search holds.

    Raises:
        ConfigError: no finished search is there.
        DataError: what is there cannot be read.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise ConfigError(f"{folder}: holds no {RESULTS}; give the folder of a finished offramp search")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except msgspec.DecodeError as error:
        raise DataError(f"{path}: is not of offramp search as it is now: {error}; search again") from error
