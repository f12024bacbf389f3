"""What the device computes: who leaves by an exit, what else is sent, and the word of the exit on that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.errors import ConfigError, DataError
from offramp.int8 import IntegerDevice
from offramp.runtime.answer import Answers
from offramp.runtime.cascade import Passage, Way, ways_of_head
from offramp.runtime.network import Real
from offramp.runtime.parts import float_parts, integer_parts
from offramp.runtime.watch import Watch

Mode = Literal["local", "remote", "split", "split+exit"]
MODES: tuple[Mode, ...] = get_args(Mode)

_NEEDED: dict[Mode, tuple[str, ...]] = {
    "local": ("head", "tail"),
    "remote": (),
    "split": ("head",),
    "split+exit": ("head", "exit"),
}
_BESIDE_HEAD: dict[Mode, tuple[str, ...]] = {  # what computes, where it is there; in split+exit exits belong
    "local": ("encoder", "tail"),  # to the head
    "remote": ("exit",),
    "split": ("exit", "encoder"),
    "split+exit": ("encoder",),
}
_MAX_ROWS = 256  # computed together


class Own(NamedTuple):
    """The verdict of the exit at the cut on samples that no exit is sure of.

    Args:
        scores, confidence: (n, n_classes), and what the exit's rule makes of them: (n,).
        n_macs: executed for each sample, with all that came before.
    """

    scores: Real
    confidence: npt.NDArray[np.float64]
    n_macs: int


@dataclass(frozen=True)
class Unsure:
    """Samples that the tail is to be asked about.

    Args:
        rows: which they are, (n,).
        values: what is to be sent of each: features (n, n_sent), or in mode "remote" samples (n, *shape).
        n_macs: executed for each so far.
        own: gives the exit's verdict, computed only then if it was not yet; None where there is none.
    """

    rows: npt.NDArray[np.intp]
    values: npt.NDArray[Any]
    n_macs: int
    own: Callable[[], Own] | None


class Device:
    """The parts of a bundle that compute on the device in one mode. Calls may come from several threads.

    Args:
        bundle, mode, threads, drift_alarm_every, int8: see `Edge`.

    Raises:
        ConfigError: an unknown mode, a part that the mode needs, a negative `drift_alarm_every`, or a bundle
            that a device in integers cannot have.
    """

    def __init__(
        self,
        bundle: Bundle,
        mode: Mode,
        *,
        threads: int = 1,
        drift_alarm_every: int = 0,
        int8: bool = False,
    ) -> None:
        _check(bundle, mode)
        integers = IntegerDevice(bundle) if int8 else None
        self.bundle = bundle if integers is None else integers.as_bundle
        self.mode: Mode = mode
        ways = ways_of_head(self.bundle) if mode == "split+exit" else ()
        beside = [name for name in _BESIDE_HEAD[mode] if name in bundle.parts]
        self._parts = (
            float_parts(bundle, ways, beside, threads=threads)
            if integers is None
            else integer_parts(integers, ways, beside, threads=threads)
        )
        self._watches = _watches(ways, drift_alarm_every)

    @property
    def has_own_verdict(self) -> bool:
        """Whether an exit stands in for a tail that does not answer."""
        return self._parts.head is not None and self.bundle.exit is not None

    @property
    def drift_alarms(self) -> int:
        """How often an exit's confidences were found unlike those of its calibration."""
        return sum(watch.n_alarms for watch in self._watches.values())

    def warm_up(self) -> None:
        """Does now what the first sample would else pay for."""
        for network in self._parts.networks:
            network(np.zeros((1, network.n_in), np.float32))

    def blocks(
        self, samples: npt.ArrayLike, *, at_most: int, ids: Sequence[str] | None = None
    ) -> Iterator[tuple[npt.NDArray[Any], Answers]]:
        """Samples (n, *shape) that are to be answered now, in pieces as `decide` takes them.

        Args:
            at_most: samples in a piece; 256 are never exceeded, since more gain nothing, and wait longer.
            ids: one for each sample.

        Raises:
            DataError: another shape or type, values that are not finite, or more or fewer ids.
        """
        started = time.perf_counter()
        try:
            given = np.asarray(samples)
        except ValueError as error:  # what NumPy says of lists that differ in length
            shape = self.bundle.preprocessing.shape
            raise DataError(f"samples of different shapes; this network reads {shape} each") from error
        if given.ndim and len(given) == 0:
            return
        raw, step = self._checked(given), min(_MAX_ROWS, at_most)
        if ids is not None and len(ids) != len(raw):
            raise DataError(f"{len(ids)} ids for {len(raw)} samples; give one for each")
        for first in range(0, len(raw), step):
            piece = raw[first : first + step]
            own_ids = None if ids is None else ids[first : first + step]
            yield (
                piece,
                Answers(len(piece), self.bundle.classes, started, first=first, of=len(raw), ids=own_ids),
            )

    def _checked(self, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Samples (n, *shape), of the dtype that the preprocessing reads."""
        preprocessing = self.bundle.preprocessing
        # Bytes must be bytes: 256 would silently become 0. Floats may be given in any precision.
        casting: Literal["safe", "same_kind"] = "safe" if preprocessing.dtype == "uint8" else "same_kind"
        if not np.can_cast(raw.dtype, preprocessing.dtype, casting=casting):
            raise DataError(f"a sample of type {raw.dtype}; this network reads {preprocessing.dtype}")
        if raw.ndim == 0 or raw.shape[1:] != preprocessing.shape:
            raise DataError(f"a sample of shape {raw.shape[1:]}; this network reads {preprocessing.shape}")
        if preprocessing.dtype == "uint8":
            return raw.astype(np.uint8, copy=False)
        with np.errstate(over="ignore"):  # found as infinity right below
            raw = raw.astype(preprocessing.dtype, copy=False)
        if not np.isfinite(raw).all():
            raise DataError("a sample with NaN or infinity; every value must be finite")
        return raw

    def decide(self, raw: npt.NDArray[Any], answers: Answers) -> Unsure | None:
        """Adds the answers that are known here and now; gives the samples whose answer is not, None for none.

        Args:
            raw: samples as `blocks` gives them.

        Raises:
            DataError: values that the network cannot digest.
        """
        if self.mode == "remote":
            own = (lambda: self._own(self._passage(raw, answers))) if self.has_own_verdict else None
            return Unsure(np.arange(len(raw)), raw, 0, own)
        passage = self._passage(raw, answers)
        for left in passage.left:
            answers.add(
                left.rows,
                left.scores,
                source="exit",
                exit=left.name,
                confidence=left.confidence,
                n_macs=left.n_macs,
            )
        return self._behind_the_cut(passage, answers) if len(passage.rows) else None

    def _passage(self, raw: npt.NDArray[Any], answers: Answers) -> Passage:
        """What the head makes of raw samples, and in mode "split+exit" who leaves by an exit."""
        assert self._parts.head is not None, "it is needed, or there is nothing to fall back on"
        try:
            inputs = self._parts.inputs(raw)
        except DataError as error:
            raise answers.placed(error) from error
        passage = self._parts.head(inputs)
        if len(passage.rows):
            answers.check_finite(passage.rows, passage.outputs, "the head overflows")
        for name, watch in self._watches.items():
            if name in passage.seen:
                watch.see(passage.seen[name])
        return passage

    def _behind_the_cut(self, passage: Passage, answers: Answers) -> Unsure | None:
        """The samples that no exit was sure of, unless the tail is here and answers them."""
        given, n_macs = passage.outputs, passage.n_macs
        if encoder := self._parts.beside.get("encoder"):
            given, n_macs = encoder(given), n_macs + encoder.n_macs
            answers.check_finite(passage.rows, given, "the encoder overflows")
        values = self._parts.values(given)
        if self.mode == "local":
            tail = self._parts.beside["tail"]
            answers.add(passage.rows, tail(values), source="local", n_macs=n_macs + tail.n_macs)
            return None
        own = (lambda: self._own(passage, n_macs)) if self.has_own_verdict else None
        return Unsure(passage.rows, values, n_macs, own)

    def _own(self, passage: Passage, n_macs: int | None = None) -> Own:
        """What the exit at the cut says; `n_macs` were executed before it, None for those of the passage."""
        n_macs = passage.n_macs if n_macs is None else n_macs
        if passage.scores is not None and passage.confidence is not None:  # the last exit is at the cut
            return Own(passage.scores, passage.confidence, n_macs)
        scores, confidence = self._parts.verdict(passage.outputs)
        return Own(scores, confidence, n_macs + self._parts.beside["exit"].n_macs)


def _check(bundle: Bundle, mode: Mode) -> None:
    if mode not in MODES:
        raise ConfigError(f"unknown mode {mode!r}; use one of {', '.join(MODES)}")
    needed = [*_NEEDED[mode], *(["encoder"] if bundle.encoder_digest and mode != "remote" else [])]
    missing = [part for part in needed if part not in bundle.parts]
    if missing:
        raise ConfigError(
            f"mode {mode!r} needs the bundle's {' and '.join(missing)};"
            f" bundle {bundle.name!r} has {', '.join(bundle.parts)}"
        )


def _watches(ways: Sequence[Way], alarm_every: int) -> dict[str, Watch]:
    if alarm_every < 0:
        raise ConfigError(f"drift_alarm_every={alarm_every}; use a number of samples, or 0 for no watch")
    return {
        way.name: Watch(way.name, way.rule.profile, alarm_every=alarm_every)
        for way in ways
        if alarm_every and way.rule.profile is not None
    }
