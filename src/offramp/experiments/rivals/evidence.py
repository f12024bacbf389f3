"""All runs of a comparison, and the differences between methods, seed by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from offramp.experiments.paper import PaperRow
from offramp.experiments.records import spaced
from offramp.experiments.rivals.compare import Rival
from offramp.experiments.rivals.contenders import METHODS
from offramp.experiments.statistics import Spread, spread
from offramp.train import Recipe

REFERENCE = "random"  # what every other method is held against: the row as published

Outcome = Literal["better", "worse", "open"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs of every method on every row with every seed.

    Args:
        command: how to get the same.
        seconds: that the last call took; earlier ones may have done a part.
    """

    rows: tuple[PaperRow, ...]
    runs: tuple[Rival, ...]
    recipe: Recipe
    seeds: tuple[int, ...]
    command: str
    seconds: float
    environment: Mapping[str, Any]

    @cached_property
    def _by_key(self) -> dict[tuple[int, str], tuple[Rival, ...]]:
        found: dict[tuple[int, str], list[Rival]] = {}
        for run in sorted(self.runs, key=lambda run: run.seed):
            found.setdefault((run.row, run.method), []).append(run)
        return {key: tuple(runs) for key, runs in found.items()}

    def runs_of(self, row: PaperRow, method: str) -> tuple[Rival, ...]:
        """By seed."""
        return self._by_key[row.number, method]

    def accuracy(self, row: PaperRow, method: str) -> Spread:
        """In per cent and points."""
        return spread([run.accuracy_percent for run in self.runs_of(row, method)])

    def difference(self, method: str, row: PaperRow, *, against: str = REFERENCE) -> Spread:
        """Points by which a method is better than another in a row, each seed with itself."""
        return spread(self._differences(method, row, against))

    def mean_difference(self, method: str, *, against: str = REFERENCE) -> Spread:
        """Points by which a method is better than another, in the mean of the rows.

        The rows are what they are and the seeds a sample: each seed's mean over all rows is one value.
        """
        by_row = [self._differences(method, row, against) for row in self.rows]
        return spread(np.mean(by_row, axis=0).tolist())

    def _differences(self, method: str, row: PaperRow, against: str) -> list[float]:
        pairs = zip(self.runs_of(row, method), self.runs_of(row, against), strict=True)
        return [one.accuracy_percent - other.accuracy_percent for one, other in pairs]

    def work(self, row: PaperRow, method: str) -> float:
        """Multiply-adds of a training over those of the reference."""
        return self.runs_of(row, method)[0].training_macs / self.runs_of(row, REFERENCE)[0].training_macs

    def mean_s(self, method: str) -> float:
        """Of a training, in the mean of rows and seeds."""
        return float(np.mean([run.train_s for run in self.runs if run.method == method]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        others = [method for method in METHODS if method != REFERENCE]
        return {
            "command": self.command,
            "recipe": asdict(self.recipe),
            "seeds": list(self.seeds),
            "methods": {method.name: method._asdict() for method in METHODS.values()},
            "reference": REFERENCE,
            "rows": [
                {
                    "row": row.number,
                    "parameters": row.parameters,
                    "paper_percent": row.accuracy_percent,
                    "methods": {method: self._method_dict(row, method) for method in METHODS},
                }
                for row in self.rows
            ],
            "mean_differences": {method: _points(self.mean_difference(method)) for method in others},
            "pooled_sparse_less_pooled_dense": _points(
                self.mean_difference("pooled_sparse", against="pooled_dense")
            ),
            "train_s": sum(run.train_s for run in self.runs),
            "seconds": self.seconds,
            "environment": dict(self.environment),
        }

    def _method_dict(self, row: PaperRow, method: str) -> dict[str, Any]:
        runs, ours = self.runs_of(row, method), self.accuracy(row, method)
        return {
            "neurons": list(runs[0].neurons),
            "out_degrees": list(runs[0].out_degrees),
            "parameters": runs[0].parameters,
            "edges": list(runs[0].edges),
            "training_macs": runs[0].training_macs,
            "mean_percent": ours.mean,
            "deviation_points": ours.deviation,
            "margin_points": ours.margin,
            "difference": _points(self.difference(method, row)),
            "runs": [
                {"seed": run.seed, "accuracy_percent": run.accuracy_percent, "train_s": run.train_s}
                for run in runs
            ],
        }


def outcome(difference: Spread) -> Outcome:
    """Whether the 95% interval of a difference leaves out zero, and on which side."""
    if difference.margin is None or abs(difference.mean) <= difference.margin:
        return "open"
    return "better" if difference.mean > 0 else "worse"


def comparison_csv(runs: Sequence[Rival]) -> str:
    """One line for each trained network, with a header; out-degrees and edges by junction."""
    lines = [
        "row,kind,method,neurons,out_degrees,recipe,pattern,block,pooling,seed,parameters,edges,"
        "accuracy_percent,train_s"
    ]
    for run in runs:
        cells = (
            run.row,
            run.kind,
            run.method,
            spaced(run.neurons),
            spaced(run.out_degrees),
            run.recipe["name"],
            run.pattern,
            run.block,
            run.pooling,
            run.seed,
            run.parameters,
            spaced(run.edges),
            f"{run.accuracy_percent:.2f}",
            f"{run.train_s:.2f}",
        )
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def _points(difference: Spread) -> dict[str, Any]:
    return {
        "points": difference.mean,
        "margin_points": difference.margin,
        "outcome": outcome(difference),
    }
