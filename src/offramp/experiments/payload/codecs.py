"""Which codec features cross the wire by: a rule on validation samples, before any test sample."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.codec import CODECS, Codec, FloatCodec, fit_codec
from offramp.data import Dataset
from offramp.plan.judgement import Calibration, CodecRow, calibrated, codec_study, rules_of
from offramp.runtime.scores import edge_scores

FLOAT32 = FloatCodec().name
MAX_LOSS_POINTS = 0.2  # that a codec may cost the tail, in the mean of the seeds
MIN_FITTED = 1000  # samples, below which a codec's histograms are too rough

ALL, UNSURE = "all", "unsure"  # training samples that a codec is fitted to
FITTED_TO = {
    ALL: "all training samples",
    UNSURE: "those training samples that the exit is not sure about",
}


@dataclass(frozen=True, kw_only=True)
class Pledge:
    """What a threshold is certified for.

    Args:
        risk: most accuracy lost against always asking the tail, as a share.
        confidence: that it is so.
    """

    risk: float = 0.005
    confidence: float = 0.95


@dataclass(frozen=True)
class Source:
    """A codec by name, and by which training samples it is fitted to."""

    codec: str
    fitted_to: str


@dataclass(frozen=True)
class Trial:
    """A codec on the validation samples of one trained network.

    Args:
        loss_points: accuracy of the tail with float32 less that with the codec.
        mean_bytes: of the offloaded samples' payloads; of all samples' where none is offloaded.
    """

    source: Source
    loss_points: float
    mean_bytes: float


@dataclass(frozen=True)
class Choice:
    """What the rule says of one design.

    Args:
        chosen: fewest mean bytes among those that lose at most MAX_LOSS_POINTS, all in the mean of the seeds.
        tried: the means of every codec and source.
        kept: of every codec the source that it is held against the others with, by name.
    """

    chosen: Source
    tried: tuple[Trial, ...]
    kept: dict[str, Source]

    def trial(self, source: Source) -> Trial:
        """Its means."""
        return next(one for one in self.tried if one.source == source)


class Workbench:
    """A trained network with float32 on the wire, calibrated, and what codecs may be fitted to.

    Who is sure is told by a threshold that is certified with float32 on the wire, so that it is the same for
    all codecs.

    Args:
        least: fewer samples than these are none to fit to.
    """

    def __init__(self, bundle: Bundle, dataset: Dataset, pledge: Pledge, *, least: int = MIN_FITTED) -> None:
        self.dataset, self.pledge = dataset, pledge
        self._bundle, self._least = bundle, least

    @cached_property
    def reference(self) -> Bundle:
        """The network with float32 on the wire, its threshold certified."""
        return self.calibrated_with(FloatCodec()).bundle

    def calibrated_with(self, codec: Codec) -> Calibration:
        """The network with this codec, its threshold certified on the calibration split."""
        raw, labels = self.dataset.split("calibration")
        pledge = self.pledge
        return calibrated(
            replace(self._bundle, codec=codec), raw, labels, risk=pledge.risk, confidence=pledge.confidence
        )

    @cached_property
    def samples(self) -> dict[str, npt.NDArray[Any]]:
        """Raw training samples, by the names of FITTED_TO; without those who are too few."""
        raw, _ = self.dataset.split("train")
        unsure = raw[self._unsure(raw)]
        return {ALL: raw} | ({UNSURE: unsure} if len(unsure) >= self._least else {})

    def codec(self, source: Source) -> Codec:
        """Fitted as the source says."""
        _, sent = edge_scores(self.reference, self.samples[source.fitted_to])
        return fit_codec(source.codec, sent)

    def rows(
        self,
        bundle: Bundle,
        sources: Sequence[Source],
        samples: npt.NDArray[Any],
        labels: npt.NDArray[np.int64],
    ) -> list[CodecRow]:
        """Of each codec what it costs on these samples, by the exits of `bundle`."""
        found: dict[Source, CodecRow] = {}
        for fitted_to, training in self.samples.items():
            names = [source.codec for source in sources if source.fitted_to == fitted_to]
            if names:
                told = codec_study(bundle, training, samples, labels, names)
                found |= {Source(name, fitted_to): row for name, row in zip(names, told, strict=True)}
        return [found[source] for source in sources]

    def trials(self) -> list[Trial]:
        """Every codec and source on the validation samples."""
        sources = list(self._candidates())
        rows = self.rows(self.reference, sources, *self.dataset.split("validation"))
        return [
            Trial(source, -100 * row.against_float32.value, row.bytes_if_offloaded or row.bytes_if_all)
            for source, row in zip(sources, rows, strict=True)
        ]

    def _candidates(self) -> Iterator[Source]:
        for name in CODECS:
            yield Source(name, ALL)
            if name.endswith("-range") and UNSURE in self.samples:  # histograms tell offloaded samples best
                yield Source(name, UNSURE)

    def _unsure(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which samples no exit on the device answers."""
        rules = rules_of(self.reference)
        exits, _ = edge_scores(self.reference, raw)
        sure = np.stack([rules[name].sure(scores) for name, scores in exits.items()])
        return np.logical_not(sure.any(axis=0))


def choose(trials: Sequence[Sequence[Trial]]) -> Choice:
    """The rule, on the trials of every seed.

    Of a codec's sources the better one is kept; a source that some seed lacks is out.
    """
    by_source: dict[Source, list[Trial]] = {}
    for trial in (trial for seed in trials for trial in seed):
        by_source.setdefault(trial.source, []).append(trial)
    tried = [_mean(found) for found in by_source.values() if len(found) == len(trials)]
    kept = {
        name: min((one for one in tried if one.source.codec == name), key=_rank).source
        for name in dict.fromkeys(one.source.codec for one in tried)
    }
    return Choice(min(tried, key=_rank).source, tuple(tried), kept)


def _rank(trial: Trial) -> tuple[bool, float, float]:
    """The smaller, the better; with float32 there is always one that loses nothing."""
    return trial.loss_points > MAX_LOSS_POINTS + 1e-9, trial.mean_bytes, trial.loss_points


def _mean(trials: Sequence[Trial]) -> Trial:
    losses, sizes = ([getattr(one, name) for one in trials] for name in ("loss_points", "mean_bytes"))
    return Trial(trials[0].source, float(np.mean(losses)), float(np.mean(sizes)))
