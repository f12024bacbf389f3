"""All runs of a reproduction, row by row beside the paper: what table, page and files are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from offramp.experiments.paper import PaperRow, misprints
from offramp.experiments.runs import Histogram, Run, Settings
from offramp.experiments.statistics import VERDICTS, Spread, Verdict, spread, verdict


@dataclass(frozen=True)
class RowEvidence:
    """A row of the paper and its runs, one for each seed."""

    row: PaperRow
    runs: tuple[Run, ...]

    @property
    def accuracy(self) -> Spread:
        """In per cent and points."""
        return spread([run.accuracy_percent for run in self.runs])

    @property
    def verdict(self) -> Verdict:
        return verdict(self.accuracy, self.row.accuracy_percent, sparse=self.row.is_sparse)


class Saving(NamedTuple):
    """The smallest dense network of the tables that is as good as a sparse one; None where none is.

    Args:
        ours, paper: by our means, by the paper's figures.
    """

    sparse: RowEvidence
    ours: RowEvidence | None
    paper: RowEvidence | None

    @staticmethod
    def factor(sparse: RowEvidence, dense: RowEvidence | None) -> float | None:
        """Parameters of the dense network over those of the sparse one."""
        return None if dense is None else dense.row.parameters / sparse.row.parameters


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A reproduction.

    Args:
        rows: in the paper's order.
        command: how to get the same.
        seconds: that the last call took; earlier ones may have done a part.
    """

    rows: tuple[RowEvidence, ...]
    settings: Settings
    seeds: tuple[int, ...]
    command: str
    seconds: float
    environment: Mapping[str, Any]

    @property
    def misprints(self) -> list[PaperRow]:
        return misprints([evidence.row for evidence in self.rows])

    @property
    def train_s(self) -> float:
        """Training time of all networks, one after the other."""
        return sum(run.train_s for evidence in self.rows for run in evidence.runs)

    def histogrammed(self) -> tuple[PaperRow, Run] | None:
        """The largest dense network of three junctions, with its first seed; None where none was trained."""
        deep = [evidence for evidence in self.rows if evidence.row.kind == "deep"]
        if not deep:
            return None
        largest = max(deep, key=lambda evidence: evidence.row.parameters)
        return largest.row, largest.runs[0]

    def savings(self) -> list[Saving]:
        """For each sparse row, the smallest dense network of both tables with at least its accuracy."""
        dense = sorted(
            (e for e in self.rows if not e.row.is_sparse), key=lambda evidence: evidence.row.parameters
        )
        return [
            Saving(
                sparse,
                next((e for e in dense if e.accuracy.mean >= sparse.accuracy.mean), None),
                next((e for e in dense if e.row.accuracy_percent >= sparse.row.accuracy_percent), None),
            )
            for sparse in self.rows
            if sparse.row.is_sparse and dense
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        block = self.settings.block
        return {
            "command": self.command,
            "recipe": asdict(self.settings.recipe),
            "pattern": self.settings.pattern,
            "block": None if block is None else f"{block[0]}x{block[1]}",
            "seeds": list(self.seeds),
            "rows": [_row_dict(evidence) for evidence in self.rows],
            "misprints": [
                {"row": row.number, "printed": row.parameters_printed, "computed": row.parameters}
                for row in self.misprints
            ],
            "verdicts": VERDICTS,
            "seconds": self.seconds,
            "train_s": self.train_s,
            "environment": dict(self.environment),
        }


def gather(rows: Sequence[PaperRow], runs: Sequence[Run]) -> tuple[RowEvidence, ...]:
    """The runs under their rows, by seed; rows without runs are left out."""
    found = [
        RowEvidence(row, tuple(sorted((r for r in runs if r.row == row.number), key=lambda run: run.seed)))
        for row in rows
    ]
    return tuple(evidence for evidence in found if evidence.runs)


def misprint_words(rows: Sequence[PaperRow]) -> str:
    """A sentence about the paper's parameter counts that cannot be; empty where all can."""
    if not rows:
        return ""
    one = ", ".join(
        f"row {row.number} {list(row.neurons)} printed {row.parameters_printed:,}, edges and biases"
        f" {row.parameters:,}"
        for row in rows
    )
    return f"the paper swaps the parameter counts of its first two rows: {one}"


def bins(histogram: Histogram) -> tuple[list[float], float]:
    """Centres of a histogram's bins and their width."""
    width = 2 * histogram.limit / len(histogram.counts)
    return [-histogram.limit + (i + 0.5) * width for i in range(len(histogram.counts))], width


def _row_dict(evidence: RowEvidence) -> dict[str, Any]:
    row, ours = evidence.row, evidence.accuracy
    return {
        "row": row.number,
        "table": row.table,
        "type": row.kind,
        "neurons": list(row.neurons),
        "out_degrees": list(row.out_degrees),
        "parameters": row.parameters,
        "paper_percent": row.accuracy_percent,
        "mean_percent": ours.mean,
        "deviation_points": ours.deviation,
        "margin_points": ours.margin,
        "verdict": evidence.verdict,
        "runs": [
            {"seed": run.seed, "accuracy_percent": run.accuracy_percent, "train_s": run.train_s}
            for run in evidence.runs
        ],
    }
