"""What a trained network is worth on the test samples, which are read here and nowhere else."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.exits.guarantee import Outcomes, risk_curve, threshold_grid
from offramp.experiments.payload.codecs import FLOAT32, Choice, Pledge, Source, Workbench
from offramp.experiments.payload.networks import on_the_device
from offramp.plan.judgement import Calibration, CodecRow, Verdicts, judged
from offramp.runtime.scores import edge_scores

# Shares of samples that are offloaded along the trade-off curve: as many steps to 1% as from there to all.
SHARES = np.geomspace(0.002, 1.0, 55)


@dataclass(frozen=True)
class Standing:
    """What a threshold gives on the test samples; shares and bytes.

    Args:
        mean_bytes: payload of an offloaded sample; None where there is none.
        bytes_per_sample: payload of those, over all samples.
    """

    threshold: float
    accuracy: float
    exit_rate: float
    offload_rate: float
    mean_bytes: float | None
    bytes_per_sample: float


@dataclass(frozen=True)
class CodecFigures:
    """A codec on the test samples; accuracies in per cent.

    Args:
        against_float32: points that the tail is right more often than with float32.
        system_percent: of the answers that come, at the certified threshold.
    """

    source: Source
    tail_percent: float
    against_float32: float
    system_percent: float
    mean_bytes: float | None
    bytes_if_all: float
    bytes_per_sample: float
    largest_bytes: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A network trained with one seed; accuracies in per cent.

    Args:
        parameters: of every part.
        n_sent: values that cross the wire for an offloaded sample.
        exit_percent: of the exit at the cut, were it to answer everything.
        tail_percent, coded_tail_percent: of the tail, asked about everything, with float32 and as coded.
        certified, empirical: at the certified threshold, and at the one that the calibration samples
            themselves lose no more than the risk at.
        certificate: evidence of the certified threshold.
        codecs: at the certified threshold, which is the same for all of them.
        curve: the chosen codec at other thresholds.
    """

    budget: int
    seed: int
    parameters: dict[str, int]
    n_sent: int
    train_s: float
    source: Source
    exit_percent: float
    tail_percent: float
    coded_tail_percent: float
    certified: Standing
    empirical: Standing
    certificate: dict[str, Any]
    codecs: tuple[CodecFigures, ...]
    curve: tuple[Standing, ...]

    @property
    def edge_parameters(self) -> int:
        """Of all parts that the device runs."""
        return sum(n for name, n in self.parameters.items() if on_the_device(name))

    def drop_points(self, standing: Standing) -> float:
        """Points that the system is right less often than the tail with float32 would be."""
        return self.tail_percent - 100 * standing.accuracy


def judge(workbench: Workbench, choice: Choice, *, budget: int, seed: int) -> tuple[Judged, Bundle]:
    """The figures of a trained network with the chosen codec, and it as it would be deployed.

    Raises:
        DataError: too few calibration samples for the pledge; the message says how many it takes.
    """
    calibration = workbench.calibrated_with(workbench.codec(choice.chosen))
    deployed, threshold = calibration.bundle, calibration.certificate.threshold
    raw, labels = workbench.dataset.split("test")
    outcomes, sizes = judged(deployed, raw, labels), _payloads(deployed, raw)
    told = list(choice.kept.values())
    rows = workbench.rows(deployed, told, raw, labels)
    figures = {source: _figures(source, row) for source, row in zip(told, rows, strict=True)}
    verdicts = Verdicts(outcomes, outcomes.answered_by(threshold))
    found = Judged(
        budget=budget,
        seed=seed,
        parameters={name: part.n_parameters for name, part in deployed.parts.items()},
        n_sent=deployed.n_sent,
        train_s=float(deployed.training["seconds"]),
        source=choice.chosen,
        exit_percent=100 * float(verdicts.exit_right[verdicts.at_cut].mean()),
        tail_percent=figures[choice.kept[FLOAT32]].tail_percent,
        coded_tail_percent=figures[choice.chosen].tail_percent,
        certified=standing(outcomes, threshold, sizes),
        empirical=standing(outcomes, _empirical(calibration, workbench.pledge), sizes),
        certificate=calibration.certificate.evidence(),
        codecs=tuple(figures.values()),
        curve=tuple(standing(outcomes, one, sizes) for one in _thresholds(outcomes)),
    )
    return found, deployed


def standing(outcomes: Outcomes, threshold: float, sizes: npt.NDArray[np.int64]) -> Standing:
    """What a threshold gives.

    Args:
        sizes: bytes (n,) of every sample's payload, were it offloaded.
    """
    verdicts = Verdicts(outcomes, outcomes.answered_by(threshold))
    sent = sizes[verdicts.offloaded]
    return Standing(
        threshold=threshold,
        accuracy=float(verdicts.system_right.mean()),
        exit_rate=float(verdicts.exited.mean()),
        offload_rate=len(sent) / len(sizes),
        mean_bytes=float(sent.mean()) if len(sent) else None,
        bytes_per_sample=float(sent.sum()) / len(sizes),
    )


def _payloads(bundle: Bundle, raw: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Bytes (n,) of every sample's coded features."""
    _, sent = edge_scores(bundle, raw)
    return np.array([len(row) for row in bundle.codec.encode_rows(sent)], np.int64)


def _empirical(calibration: Calibration, pledge: Pledge) -> float:
    """The smallest threshold at which the samples certified on lose no more than the risk; no guarantee."""
    curve = risk_curve(
        calibration.certifying,
        threshold_grid(calibration.fitting),
        measure="accuracy-drop",
        risk=pledge.risk,
        confidence=pledge.confidence,
    )
    allowed = curve.thresholds[curve.risk <= pledge.risk + 1e-9]
    return float(allowed.min()) if len(allowed) else calibration.certificate.threshold


def _thresholds(outcomes: Outcomes) -> list[float]:
    """At which SHARES of the samples are offloaded, as near as confidences allow."""
    surest = outcomes.surest()[outcomes.on_edge][-1]
    ordered = np.sort(surest)  # who is least sure is offloaded first
    n_sent = np.minimum(np.ceil(SHARES * len(ordered)).astype(int), len(ordered))
    following = np.append(ordered, 1.5)[n_sent]
    return [max(0.0, float(one)) for one in following]  # -inf where no confidence was a number


def _figures(source: Source, row: CodecRow) -> CodecFigures:
    return CodecFigures(
        source=source,
        tail_percent=100 * row.tail_accuracy.value,
        against_float32=100 * row.against_float32.value,
        system_percent=100 * row.system_accuracy.value,
        mean_bytes=row.bytes_if_offloaded,
        bytes_if_all=row.bytes_if_all,
        bytes_per_sample=row.bytes_per_sample,
        largest_bytes=row.largest_bytes,
    )
