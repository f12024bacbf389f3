"""Found networks beside the paper's dense rows: what table, page and files are made of."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from offramp.errors import DataError
from offramp.experiments.paper import PaperRow
from offramp.experiments.records import spaced
from offramp.experiments.searched.networks import FACTOR, Find
from offramp.experiments.searched.train import FoundRun
from offramp.experiments.statistics import Spread, spread
from offramp.train import Recipe

Outcome = Literal["better", "equal", "worse", "above", "below", "none"]

OUTCOMES: dict[Outcome, str] = {
    "better": "the mean is above the paper's figure, which its 95% interval leaves out",
    "equal": "the paper's figure lies in the 95% interval of the mean",
    "worse": "the mean is below the paper's figure, which its 95% interval leaves out",
    "above": "the one run is at the paper's figure or above; one seed gives no interval",
    "below": "the one run is below the paper's figure; one seed gives no interval",
    "none": f"the searches trained no network with {FACTOR} times fewer parameters to the end",
}

_ROUNDING = 1e-9  # of means of decimal figures

Rows = tuple[int, tuple[int, ...]]  # table and neurons


@dataclass(frozen=True)
class RowFound:
    """A dense row of the paper, the network found for it, and its runs, one for each seed.

    Args:
        find, runs: None and empty where no network is small enough.
        reproduced: the row trained by us as published, in per cent; None where that is not known.
    """

    row: PaperRow
    find: Find | None
    runs: tuple[FoundRun, ...]
    reproduced: Spread | None

    @property
    def accuracy(self) -> Spread:
        """In per cent and points; only where there is a network."""
        return spread([run.accuracy_percent for run in self.runs])

    @property
    def off(self) -> float | None:
        """Our mean less the paper's figure, in points; None where there is no network."""
        return self.accuracy.mean - self.row.accuracy_percent if self.runs else None

    @property
    def reached(self) -> bool:
        """Whether the mean is at least the paper's figure."""
        return self.off is not None and self.off >= -_ROUNDING

    @property
    def outcome(self) -> Outcome:
        if self.off is None:
            return "none"
        margin = self.accuracy.margin
        if margin is None:
            return "above" if self.reached else "below"
        if abs(self.off) <= margin + _ROUNDING:
            return "equal"
        return "better" if self.off > 0 else "worse"

    @property
    def reached_ours(self) -> bool:
        """Whether the mean is at least that of the row trained by us; no where that is not known."""
        return self.reproduced is not None and bool(self.runs) and self.accuracy.mean >= self.reproduced.mean

    @property
    def factor(self) -> float | None:
        """The row's parameters over the network's."""
        return None if self.find is None else self.row.parameters / self.find.network.parameters


@dataclass(frozen=True)
class SearchTold:
    """A search that networks come from.

    Args:
        command: how to search like that.
        n_networks: that it trained.
        n_highest: of them, to the highest rung.
        train_s: of each network's longest training, together.
    """

    command: str
    n_networks: int
    n_highest: int
    train_s: float


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Dense rows of the paper and the networks that searches found for them.

    Args:
        rows: in the paper's order.
        command: how to get the same from the same searches.
        seconds: that the last call took; earlier ones may have done a part.
    """

    rows: tuple[RowFound, ...]
    searches: tuple[SearchTold, ...]
    recipe: Recipe
    seeds: tuple[int, ...]
    command: str
    seconds: float
    environment: Mapping[str, Any]

    @property
    def found(self) -> dict[Find, tuple[FoundRun, ...]]:
        """Every network that was chosen, smallest first, and its runs."""
        chosen = {one.find: one.runs for one in self.rows if one.find is not None}
        return dict(sorted(chosen.items(), key=lambda item: item[0].network.parameters))

    @property
    def train_s(self) -> float:
        """Training time of all networks, one after the other, without teachers."""
        return sum(run.train_s for runs in self.found.values() for run in runs)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "command": self.command,
            "searches": [asdict(search) for search in self.searches],
            "recipe": asdict(self.recipe),
            "seeds": list(self.seeds),
            "rows": [_row_dict(one) for one in self.rows],
            "outcomes": OUTCOMES,
            "seconds": self.seconds,
            "train_s": self.train_s,
            "environment": dict(self.environment),
        }


def gather_found(
    rows: Sequence[PaperRow],
    chosen: Mapping[int, Find],
    runs: Sequence[FoundRun],
    reproduced: Mapping[Rows, Spread],
) -> tuple[RowFound, ...]:
    """Each row with its network, that one's runs by seed, and what we know of the row itself."""
    by_network: dict[Any, list[FoundRun]] = {}
    for run in sorted(runs, key=lambda run: run.seed):
        by_network.setdefault(run.network, []).append(run)
    found = []
    for row in rows:
        find = chosen.get(row.number)
        own = () if find is None else tuple(by_network[find.network])
        found.append(RowFound(row, find, own, reproduced.get((row.table, row.neurons))))
    return tuple(found)


def read_reproduced(path: Path) -> dict[Rows, Spread]:
    """The dense rows in the .csv of `offramp reproduce`, trained as published: table and neurons -> accuracy.

    Raises:
        DataError: no such file, or another one.
    """
    values: dict[Rows, list[float]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                if line["type"] != "sparse" and line["recipe"] == "paper":
                    key = int(line["table"]), tuple(map(int, line["neurons"].split()))
                    values.setdefault(key, []).append(float(line["accuracy_percent"]))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}; give the .csv of offramp reproduce") from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: is no .csv of offramp reproduce ({type(error).__name__}: {error}); give the one beside"
            " its page, or its results.csv"
        ) from error
    return {key: spread(accuracies) for key, accuracies in values.items()}


def found_csv(beside: Beside) -> str:
    """One line for each dense row's network and each seed, with a header."""
    lines = [
        "dense_parameters,dense_accuracy_percent,neurons,out_degrees,pattern,block,pooling,seed,parameters,"
        "accuracy_percent"
    ]
    for one in beside.rows:
        for run in one.runs:
            cells = (
                one.row.parameters,
                f"{one.row.accuracy_percent:.2f}",
                spaced(run.neurons),
                spaced(run.out_degrees),
                run.pattern,
                run.block,
                run.pooling,
                run.seed,
                run.parameters,
                f"{run.accuracy_percent:.2f}",
            )
            lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def _row_dict(one: RowFound) -> dict[str, Any]:
    row, ours = one.row, one.reproduced
    told: dict[str, Any] = {
        "row": row.number,
        "table": row.table,
        "type": row.kind,
        "dense_neurons": list(row.neurons),
        "dense_parameters": row.parameters,
        "paper_percent": row.accuracy_percent,
        "reproduced_percent": None if ours is None else ours.mean,
        "outcome": one.outcome,
    }
    if one.find is None:
        return told
    network = one.find.network
    return told | {
        "reached": one.reached,
        "factor": one.factor,
        "network": asdict(network) | {"parameters": network.parameters},
        "validation_accuracy": one.find.validation_accuracy,
        "mean_percent": one.accuracy.mean,
        "deviation_points": one.accuracy.deviation,
        "margin_points": one.accuracy.margin,
        "off_points": one.off,
        "runs": [
            {"seed": run.seed, "accuracy_percent": run.accuracy_percent, "train_s": run.train_s}
            for run in one.runs
        ],
    }
