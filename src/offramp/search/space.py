"""The networks that a search draws from, and how Optuna's numbers become one of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import optuna

from offramp.data import Dataset, preprocessing_for
from offramp.errors import ConfigError
from offramp.pattern import feasible_out_degrees
from offramp.search.candidate import Candidate

# Steps of a quarter or so; those with factors 5 and 2 share edges with 10 classes in many ways.
WIDTHS = (8, 10, 16, 20, 24, 32, 40, 48, 60, 80, 100, 128, 160, 200, 256)
SIDES = (1, 2, 4, 8)
MAX_HIDDEN = 3
_PAD_STEP = 40  # 784 values become 800 inputs, 196 become 200: out-degrees that would not fit then do
_DENSE_FROM = 0.9  # a tenth of the draws of a junction's density are dense


@dataclass(frozen=True)
class Space:
    """What is drawn from.

    Args:
        inputs: pool -> the widths that the first layer may have.
        n_classes: the last layer's.
        widths: that hidden layers may have.
        distill_weights: a teacher's shares of what is learnt; 0 for labels alone.
    """

    inputs: dict[int, tuple[int, ...]]
    n_classes: int
    widths: Sequence[int] = WIDTHS
    distill_weights: Sequence[float] = (0.0,)

    @classmethod
    def of(cls, dataset: Dataset, *, distill_weights: Sequence[float] = (0.0,)) -> "Space":
        """All there is for this data: 2x2 pooling for images with even sides, padding up to an eighth."""
        inputs = {}
        for pool in (1, 2):
            try:
                n_values = preprocessing_for(dataset, pool=pool).n_features
            except ConfigError:  # samples that are no images, or of odd sides
                continue
            padded = math.ceil(n_values / _PAD_STEP) * _PAD_STEP
            fits = padded <= n_values * 9 / 8
            inputs[pool] = tuple(sorted({n_values, padded})) if fits else (n_values,)
        return cls(inputs, len(dataset.classes), distill_weights=tuple(distill_weights))

    def draw(self, trial: optuna.Trial) -> Candidate:
        """The network that the trial proposes; its junctions can be, whether it keeps a budget is not asked.

        Every number is drawn in every trial, needed or not: with a space that never changes, Optuna's TPE
        models all numbers together.
        """
        pool = trial.suggest_categorical("pool", sorted(self.inputs))
        padded = trial.suggest_categorical("padded", [False, True])
        n_hidden = trial.suggest_int("hidden_layers", 1, MAX_HIDDEN)
        hidden = [
            self.widths[trial.suggest_int(f"width_{i}", 0, len(self.widths) - 1)]
            for i in range(1, MAX_HIDDEN + 1)
        ]
        neurons = (self.inputs[pool][-1 if padded else 0], *hidden[:n_hidden], self.n_classes)
        places = ["input", *(f"hidden_{i}" for i in range(1, MAX_HIDDEN)), "output"]
        draws = {place: trial.suggest_float(f"density_{place}", 0, 1) for place in places}
        used = [draws[place] for place in (*places[:n_hidden], "output")]
        sides = [SIDES[trial.suggest_int(f"block_{side}", 0, len(SIDES) - 1)] for side in "rc"]
        degrees = [out_degree_at(*pair, draw) for pair, draw in zip(pairwise(neurons), used, strict=True)]
        weight = self.distill_weights[0]
        if len(self.distill_weights) > 1:
            weight = trial.suggest_categorical("distill_weight", list(self.distill_weights))
        return Candidate(neurons, tuple(degrees), (sides[0], sides[1]), pool, weight)

    def smallest_networks(self) -> list[Candidate]:
        """For every input and every width the one with the fewest edges and the largest blocks."""
        return [
            Candidate(
                (n_in, width, self.n_classes),
                (feasible_out_degrees(n_in, width)[0], feasible_out_degrees(width, self.n_classes)[0]),
                (SIDES[-1], SIDES[-1]),
                pool,
            )
            for pool, widths in self.inputs.items()
            for n_in in widths
            for width in self.widths
        ]


def out_degree_at(n_in: int, n_out: int, position: float) -> int:
    """A feasible out-degree: the smallest at position 0, dense from 0.9 on, between them on a log scale."""
    feasible = feasible_out_degrees(n_in, n_out)
    if position >= _DENSE_FROM:
        return n_out
    wanted = feasible[0] * (n_out / feasible[0]) ** (position / _DENSE_FROM)
    return min(feasible, key=lambda degree: abs(degree - wanted))
