"""What the study found: means over the seeds, targets, and lines for scripts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from offramp.experiments.payload.codecs import MAX_LOSS_POINTS, Source
from offramp.experiments.payload.judge import CodecFigures, Judged, Standing
from offramp.experiments.payload.study import Plan, Studied
from offramp.experiments.payload.wire import Streamed
from offramp.experiments.statistics import Spread, spread

MAX_DROP_POINTS = 0.5  # under always asking the tail
MIN_FACTOR, AIMED_FACTOR = 500, 1000  # fewer payload bytes than the raw sample
MAX_INT8_POINTS = 0.1  # that int8 may be off float32

Which = Literal["certified", "empirical"]
WHICH: tuple[Which, ...] = ("certified", "empirical")


@dataclass(frozen=True, kw_only=True)
class Budgeted:
    """One budget, in the mean of the seeds."""

    studied: Studied
    sample_bytes: int

    @property
    def budget(self) -> int:
        return self.studied.network.budget

    @property
    def runs(self) -> tuple[Judged, ...]:
        return self.studied.judged

    @property
    def edge_parameters(self) -> int:
        """The same for all seeds."""
        return self.runs[0].edge_parameters

    def of_runs(self, value: Callable[[Judged], float]) -> Spread:
        """Something of each seed."""
        return spread([value(run) for run in self.runs])

    def of_standing(self, which: Which, value: Callable[[Standing], float]) -> Spread:
        """Something of the threshold of each seed."""
        return self.of_runs(lambda run: value(getattr(run, which)))

    def drop(self, which: Which) -> Spread:
        """Points under always asking the tail with float32, each seed with itself."""
        return self.of_runs(lambda run: run.drop_points(getattr(run, which)))

    def factor(self, which: Which) -> float:
        """How many times fewer payload bytes than raw samples, by the mean over the seeds; inf for none."""
        mean = self.of_standing(which, lambda one: one.bytes_per_sample).mean
        return self.sample_bytes / mean if mean else float("inf")

    def meets(self, which: Which) -> tuple[bool, bool]:
        """Whether the drop and the factor are as they should be."""
        return self.drop(which).mean <= MAX_DROP_POINTS + 1e-9, self.factor(which) >= MIN_FACTOR

    def codec_names(self) -> list[str]:
        return list(self.studied.choice.kept)

    def of_codec(self, name: str, value: Callable[[CodecFigures], float]) -> Spread:
        """Something of a codec on each seed's test samples."""
        return self.of_runs(lambda run: value(figures_of(run, name)))

    def offload_bytes(self, which: Which) -> Spread | None:
        """Bytes of an offloaded sample, over the seeds that offload any; None where none does."""
        return _of_those_there([getattr(run, which).mean_bytes for run in self.runs])

    def coded_bytes(self, name: str) -> Spread | None:
        """The same in a codec, at the certified threshold."""
        return _of_those_there([figures_of(run, name).mean_bytes for run in self.runs])

    def curve(self) -> list[tuple[float, float]]:
        """Payload bytes per sample and accuracy in per cent at other thresholds, mean over the seeds."""
        lines = [[(one.bytes_per_sample, 100 * one.accuracy) for one in run.curve] for run in self.runs]
        return [(float(x), float(y)) for x, y in np.mean(lines, axis=0)]


@dataclass(frozen=True, kw_only=True)
class PayloadEvidence:
    """All budgets.

    Args:
        data: what the networks were trained on.
        sample_bytes: of a raw sample.
        n_of: samples of each split.
        streamed: what went over the wire, of the first seed.
        command: how to get the same.
        seconds: that the last call took; earlier ones may have trained a part.
    """

    plan: Plan
    studied: tuple[Studied, ...]
    streamed: tuple[Streamed, ...]
    data: str
    sample_bytes: int
    n_of: Mapping[str, int]
    command: str
    seconds: float
    environment: Mapping[str, Any]

    @property
    def budgets(self) -> list[Budgeted]:
        """From the largest."""
        ordered = sorted(self.studied, key=lambda one: -one.network.budget)
        return [Budgeted(studied=one, sample_bytes=self.sample_bytes) for one in ordered]

    def streamed_of(self, budget: int) -> list[Streamed]:
        return [one for one in self.streamed if one.budget == budget]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "command": self.command,
            "data": self.data,
            "sample_bytes": self.sample_bytes,
            "splits": dict(self.n_of),
            "seeds": list(self.plan.seeds),
            "pledge": asdict(self.plan.pledge),
            "budgets": [_budget_dict(one) for one in self.budgets],
            "wire": [asdict(one) for one in self.streamed],
            "seconds": self.seconds,
            "environment": dict(self.environment),
        }


def figures_of(run: Judged, name: str) -> CodecFigures:
    """Of the codec of this name."""
    return next(one for one in run.codecs if one.source.codec == name)


def _of_those_there(sizes: Sequence[float | None]) -> Spread | None:
    there = [size for size in sizes if size is not None]
    return spread(there) if there else None


def payload_csv(evidence: PayloadEvidence) -> str:
    """One line for each budget, seed and codec, with a header; accuracies in per cent, losses in points."""
    lines = [
        "budget,seed,codec,fitted_to,chosen,edge_parameters,values_sent,exit_percent,tail_float32_percent,"
        "tail_percent,against_float32_points,system_percent,exit_rate,threshold,bytes_per_offloaded,"
        "payload_bytes_per_sample,largest_bytes,train_s"
    ]
    for run in (run for one in evidence.budgets for run in one.runs):
        for codec in run.codecs:
            cells = (
                run.budget,
                run.seed,
                codec.source.codec,
                codec.source.fitted_to,
                int(codec.source == run.source),
                run.edge_parameters,
                run.n_sent,
                f"{run.exit_percent:.2f}",
                f"{run.tail_percent:.2f}",
                f"{codec.tail_percent:.2f}",
                f"{codec.against_float32:.2f}",
                f"{codec.system_percent:.2f}",
                f"{run.certified.exit_rate:.4f}",
                f"{run.certified.threshold:.6f}",
                "" if codec.mean_bytes is None else f"{codec.mean_bytes:.3f}",
                f"{codec.bytes_per_sample:.4f}",
                codec.largest_bytes,
                f"{run.train_s:.1f}",
            )
            lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def _budget_dict(one: Budgeted) -> dict[str, Any]:
    choice, network = one.studied.choice, one.studied.network
    return {
        "budget": one.budget,
        "edge_parameters": one.edge_parameters,
        "parameters": one.runs[0].parameters,
        "values_sent": one.runs[0].n_sent,
        "neurons": list(network.design.neurons),
        "recipe": network.recipe.to_dict(),
        "codec": _source(choice.chosen),
        "validation": [
            {**_source(trial.source), "loss_points": trial.loss_points, "mean_bytes": trial.mean_bytes}
            for trial in choice.tried
        ],
        "exit_percent": _spread(one.of_runs(lambda run: run.exit_percent)),
        "tail_percent": _spread(one.of_runs(lambda run: run.tail_percent)),
        "coded_tail_percent": _spread(one.of_runs(lambda run: run.coded_tail_percent)),
        **{which: _standing_dict(one, which) for which in WHICH},
        "codecs": {name: _codec_dict(one, name) for name in one.codec_names()},
        "runs": [_run(run) for run in one.runs],
    }


def _standing_dict(one: Budgeted, which: Which) -> dict[str, Any]:
    drop, factor = one.meets(which)
    return {
        "system_percent": _spread(one.of_standing(which, lambda at: 100 * at.accuracy)),
        "drop_points": _spread(one.drop(which)),
        "exit_rate": _spread(one.of_standing(which, lambda at: at.exit_rate)),
        "mean_bytes": _spread_or_none(one.offload_bytes(which)),
        "payload_bytes_per_sample": _spread(one.of_standing(which, lambda at: at.bytes_per_sample)),
        "factor": one.factor(which) if one.factor(which) < float("inf") else None,
        "drop_met": drop,
        "factor_met": factor,
    }


def _codec_dict(one: Budgeted, name: str) -> dict[str, Any]:
    return {
        "fitted_to": one.studied.choice.kept[name].fitted_to,
        "tail_percent": _spread(one.of_codec(name, lambda codec: codec.tail_percent)),
        "against_float32_points": _spread(one.of_codec(name, lambda codec: codec.against_float32)),
        "within_loss": -one.of_codec(name, lambda codec: codec.against_float32).mean <= MAX_LOSS_POINTS,
        "mean_bytes": _spread_or_none(one.coded_bytes(name)),
    }


def _run(run: Judged) -> dict[str, Any]:
    return {**asdict(run), "edge_parameters": run.edge_parameters}


def _source(source: Source) -> dict[str, str]:
    return asdict(source)


def _spread_or_none(value: Spread | None) -> dict[str, Any] | None:
    return None if value is None else _spread(value)


def _spread(found: Spread) -> dict[str, float | None]:
    return {"mean": found.mean, "deviation": found.deviation, "margin": found.margin}
