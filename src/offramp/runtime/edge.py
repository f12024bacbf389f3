"""The edge: answers alone when an exit is sure, asks the tail when none is, and always in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.errors import ConfigError, DataError, PeerError
from offramp.runtime.answer import Answer, Answers
from offramp.runtime.cascade import Cascade, Passage, Way, ways_of_head
from offramp.runtime.client import TailClient
from offramp.runtime.network import FloatArray, Network
from offramp.runtime.offload import Offload, Offloads
from offramp.runtime.security import ClientSecurity
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
_MAX_ROWS = 256  # computed together: more gain nothing, and wait longer


class _Own(NamedTuple):
    """The verdict of the exit at the cut on samples that the tail did not answer."""

    scores: FloatArray  # (n, n_classes)
    n_macs: int  # of each, with all that came before


class Edge:
    """The device's side of a split network. Context manager; it may be asked from several threads.

    Args:
        bundle: with head and tail for mode "local", head for "split", head and exit for "split+exit", each
            with the encoder if the network has one. The head's inner exits answer in mode "split+exit", those
            that are here. Where head and exit are there, their verdict stands in for a tail that does not
            answer; where they are not, `infer` raises instead.
        tail: "host:port"; not used, and no socket opened, in mode "local".
        mode: one of MODES: all here, raw samples sent, features sent, features sent when no exit is sure.
        deadline_s: the longest that reaching the tail and its answer to one request may take together.
        security: TLS and token for the tail; none by default.
        threads: for the native kernels.
        drift_alarm_every: in mode "split+exit" each exit whose rule has a profile is watched: its confidences
            in the samples that come to it are held against those of calibration. A false alarm of an exit
            comes once in so many of its samples, on average and at most; 0 for no watch.

    Raises:
        ConfigError: an unknown mode, a part that the mode needs, a missing or malformed address, a negative
            `drift_alarm_every`, files of `security` that cannot be used, or a token sent in the clear.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        tail: str | None = None,
        mode: Mode = "split+exit",
        deadline_s: float = 0.5,
        security: ClientSecurity | None = None,
        threads: int = 1,
        drift_alarm_every: int = 1_000_000,
    ) -> None:
        _check(bundle, mode, tail)
        self._bundle = bundle
        self._mode = mode
        ways = ways_of_head(bundle) if mode == "split+exit" else ()
        self._head = None if bundle.head is None else Cascade(bundle.head, ways, threads=threads)
        self._networks = {
            name: Network(bundle.parts[name], threads=threads)
            for name in _BESIDE_HEAD[mode]
            if name in bundle.parts
        }
        self._watches = _watches(ways, drift_alarm_every)
        self._offloads = None if mode == "local" else Offloads(bundle, raw=mode == "remote")
        self._client = (
            TailClient(tail, deadline_s=deadline_s, security=security) if tail and mode != "local" else None
        )
        self._closed = False

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def drift_alarms(self) -> int:
        """How often an exit's confidences were found unlike those of its calibration."""
        return sum(watch.n_alarms for watch in self._watches.values())

    def connect(self, timeout_s: float = 5.0) -> bool:
        """Does now what the first sample would else pay for; whether the tail is ready.

        Calling it is optional, and an edge whose tail is not ready yet works all the same. Mode "local" needs
        no tail: always True.
        """
        for network in (*(self._head.networks if self._head else ()), *self._networks.values()):
            network(np.zeros((1, network.n_in), np.float32))
        if self._client is None or self._offloads is None:
            return True
        return self._client.wait_until_ready(self._offloads.model_name, timeout_s)

    def infer(self, sample: npt.ArrayLike) -> Answer:
        """The answer to one raw sample, shaped and typed as the bundle's preprocessing says.

        Raises:
            DataError: another shape or type, or values that the network cannot digest.
            PeerError: the tail failed, and this edge has no head and exit to fall back on.
            ConfigError: the edge is closed.
        """
        started = time.perf_counter()
        raw = self._checked(np.asarray(sample)[None])
        return self._answers(raw, Answers(1, self._bundle.classes, started))[0]

    def infer_many(self, samples: npt.ArrayLike) -> list[Answer]:
        """The answers to raw samples (n, *shape), in their order.

        Up to 256 are computed together, fewer where they would not fit a message. Those that an exit is sure
        of leave the batch; the others go to the tail in one request and wait for its answer together. If it
        fails, all of them fall back.

        Exits decide as for a sample alone, see `Cascade`. Scores may differ from those of `infer` in the last
        places of float32, and so may a feature that a codec rounds.

        Raises:
            DataError: as `infer`, for any of the samples; no answer is given then.
            PeerError, ConfigError: as `infer`.
        """
        started = time.perf_counter()
        try:
            given = np.asarray(samples)
        except ValueError as error:  # what NumPy says of lists that differ in length
            shape = self._bundle.preprocessing.shape
            raise DataError(f"samples of different shapes; this network reads {shape} each") from error
        if given.ndim and len(given) == 0:
            return []
        raw, answers = self._checked(given), list[Answer]()
        step = _MAX_ROWS if self._offloads is None else min(_MAX_ROWS, self._offloads.max_rows)
        for first in range(0, len(raw), step):
            chunk = raw[first : first + step]
            collected = Answers(len(chunk), self._bundle.classes, started, first=first, of=len(raw))
            answers += self._answers(chunk, collected)
        return answers

    def close(self) -> None:
        """Ends the connection; closing twice is fine."""
        self._closed = True
        if self._client is not None:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self, raw: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Samples (n, *shape), of the dtype that the preprocessing reads."""
        if self._closed:
            raise ConfigError("this edge is closed; make a new one")
        preprocessing = self._bundle.preprocessing
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

    def _answers(self, raw: npt.NDArray[Any], answers: Answers) -> list[Answer]:
        if self._mode == "remote":
            assert self._offloads is not None, "every mode but local has them"
            rows, offload = np.arange(len(raw)), self._offloads.of_samples(raw)
            self._ask(offload, rows, 0, lambda: self._own(self._passage(raw, answers)), answers)
            return answers.in_order()
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
        if len(passage.rows):
            self._behind_the_cut(passage, answers)
        return answers.in_order()

    def _passage(self, raw: npt.NDArray[Any], answers: Answers) -> Passage:
        """What the head makes of raw samples, and in mode "split+exit" who leaves by an exit."""
        assert self._head is not None, "it is needed, or there is nothing to fall back on"
        try:
            inputs = self._bundle.preprocessing(raw)
        except DataError as error:
            raise answers.placed(error) from error
        passage = self._head(inputs)
        if len(passage.rows):
            answers.check_finite(passage.rows, passage.outputs, "the head overflows")
        for name, watch in self._watches.items():
            if name in passage.seen:
                watch.see(passage.seen[name])
        return passage

    def _behind_the_cut(self, passage: Passage, answers: Answers) -> None:
        """The answers to samples that no exit was sure of."""
        values, n_macs = passage.outputs, passage.n_macs
        if encoder := self._networks.get("encoder"):
            values, n_macs = encoder(values), n_macs + encoder.n_macs
            answers.check_finite(passage.rows, values, "the encoder overflows")
        if self._offloads is None:
            tail = self._networks["tail"]
            answers.add(passage.rows, tail(values), source="local", n_macs=n_macs + tail.n_macs)
            return
        offload = self._offloads.of_features(values)
        self._ask(offload, passage.rows, n_macs, lambda: self._own(passage, n_macs), answers)

    def _own(self, passage: Passage, n_macs: int | None = None) -> _Own:
        """What the exit at the cut says; `n_macs` were executed before it, None for those of the passage."""
        n_macs = passage.n_macs if n_macs is None else n_macs
        if passage.scores is not None:
            return _Own(passage.scores, n_macs)
        exit = self._networks["exit"]
        return _Own(exit(passage.outputs), n_macs + exit.n_macs)

    def _ask(
        self,
        offload: Offload,
        rows: npt.NDArray[np.intp],
        n_macs: int,
        own: Callable[[], _Own],
        answers: Answers,
    ) -> None:
        """The tail's answers to the samples `rows`, or the exit's where that fails."""
        assert self._client is not None, "every mode but local has one"
        sizes = offload.payload_bytes
        try:
            scores = self._client.scores(
                offload.request, n_rows=len(rows), n_classes=len(self._bundle.classes)
            )
        except PeerError as error:
            if self._head is None or self._bundle.exit is None:
                raise
            verdict = own()
            answers.add(
                rows,
                verdict.scores,
                source="fallback",
                exit="exit",
                confidence=self._bundle.exit_rule.confidence(verdict.scores),
                n_macs=verdict.n_macs,
                payload_bytes=sizes,
                fault=error,
            )
        else:
            answers.add(rows, scores, source="tail", n_macs=n_macs, payload_bytes=sizes)


def _check(bundle: Bundle, mode: Mode, tail: str | None) -> None:
    if mode not in MODES:
        raise ConfigError(f"unknown mode {mode!r}; use one of {', '.join(MODES)}")
    needed = [*_NEEDED[mode], *(["encoder"] if bundle.encoder_digest and mode != "remote" else [])]
    missing = [part for part in needed if part not in bundle.parts]
    if missing:
        raise ConfigError(
            f"mode {mode!r} needs the bundle's {' and '.join(missing)};"
            f" bundle {bundle.name!r} has {', '.join(bundle.parts)}"
        )
    if mode != "local" and tail is None:
        raise ConfigError(f"mode {mode!r} needs a tail; give tail='host:port', or use mode 'local'")


def _watches(ways: Sequence[Way], alarm_every: int) -> dict[str, Watch]:
    if alarm_every < 0:
        raise ConfigError(f"drift_alarm_every={alarm_every}; use a number of samples, or 0 for no watch")
    return {
        way.name: Watch(way.name, way.rule.profile, alarm_every=alarm_every)
        for way in ways
        if alarm_every and way.rule.profile is not None
    }
