"""What the runs of a reproduction have in common, and what is kept of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from torch import nn

from offramp.errors import ConfigError
from offramp.experiments.paper import PaperRow
from offramp.experiments.records import RowRecord, spaced
from offramp.nn import MLP
from offramp.pattern import PATTERN_KINDS, PatternSpec
from offramp.train import RECIPES, Recipe

N_BINS = 81  # odd: the middle one is around zero


class Histogram(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The weights of one junction, counted in bins of equal width from -limit to limit."""

    limit: float
    counts: list[int]
    near_zero: float  # share of the weights nearer to zero than a tenth of the largest


class Run(RowRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of the paper, trained with one seed."""

    histograms: list[Histogram] = msgspec.field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all runs of a reproduction have in common.

    Args:
        recipe: every recipe is used on all training data, as the paper's is.
        pattern: generator of the sparse rows' patterns.
        block: wanted; each junction takes the largest that its degrees allow.

    Raises:
        ConfigError, PatternError: a pattern that is none for sparse rows, or has no blocks.
    """

    recipe: Recipe
    pattern: str = "random"
    block: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.pattern == "full" or self.pattern not in PATTERN_KINDS:
            known = ", ".join(kind for kind in PATTERN_KINDS if kind != "full")
            raise ConfigError(f"pattern {self.pattern!r} is none for sparse rows; use one of {known}")
        if self.pattern == "block" and self.block is None:
            object.__setattr__(self, "block", (4, 4))
        PatternSpec(kind=self.pattern, block=self.block)  # refuses a block where the pattern has none

    def pattern_of(self, row: PaperRow) -> str:
        """The pattern's name in records; dense networks have one only."""
        return self.pattern if row.is_sparse else "full"

    def block_of(self, row: PaperRow) -> str:
        """The block's name in records."""
        return "x".join(map(str, self.block)) if row.is_sparse and self.block else ""

    def model(self, row: PaperRow, seed: int) -> MLP:
        """The row's untrained network."""
        if not row.is_sparse:
            return MLP(row.neurons, row.out_degrees)
        return MLP(row.neurons, row.out_degrees, pattern=self.pattern, block=self.block, seed=seed)


def recipe_named(name: str) -> Recipe:
    """A recipe, made to train on everything but the test split, since the paper's networks saw as much.

    Raises:
        ConfigError: no recipe has this name.
    """
    if name not in RECIPES:
        raise ConfigError(f"recipe {name!r} is unknown; use {' or '.join(RECIPES)}")
    return replace(RECIPES[name], train_on_everything=True)


def run_name(row: PaperRow, settings: Settings, seed: int) -> str:
    """What messages and files call a run."""
    block = settings.block_of(row)
    parts = (f"row{row.number:02}", settings.recipe.name, settings.pattern_of(row), block, f"seed{seed}")
    return "-".join(part for part in parts if part)


def histograms(model: nn.Module) -> list[Histogram]:
    """The weights of each dense junction of a model, all counted over the same range."""
    weights = [
        layer.weight.detach().double().numpy().ravel()  # in float32 the outermost can miss the last bin
        for layer in model.modules()
        if isinstance(layer, nn.Linear)
    ]
    limit = max(float(np.abs(w).max()) for w in weights)
    return [
        Histogram(
            limit,
            np.histogram(w, bins=N_BINS, range=(-limit, limit))[0].tolist(),
            float(np.mean(np.abs(w) < 0.1 * np.abs(w).max())),
        )
        for w in weights
    ]


def expected_fields(row: PaperRow, settings: Settings, seed: int, data_digest: str) -> dict[str, Any]:
    """What a run's record must say to be the run of this row, these settings and this seed."""
    return {
        "row": row.number,
        "neurons": row.neurons,
        "out_degrees": row.out_degrees,
        "recipe": settings.recipe.to_dict(),
        "pattern": settings.pattern_of(row),
        "block": settings.block_of(row),
        "seed": seed,
        "data_digest": data_digest,
    }


def runs_csv(runs: Sequence[Run], rows: Mapping[int, PaperRow]) -> str:
    """One line for each trained network, with a header."""
    lines = ["table,type,neurons,out_degrees,recipe,pattern,block,seed,parameters,accuracy_percent,train_s"]
    for run in runs:
        row = rows[run.row]
        cells = (
            row.table,
            row.kind,
            spaced(row.neurons),
            spaced(row.out_degrees),
            run.recipe["name"],
            run.pattern,
            run.block,
            run.seed,
            run.parameters,
            f"{run.accuracy_percent:.2f}",
            f"{run.train_s:.2f}",
        )
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"
