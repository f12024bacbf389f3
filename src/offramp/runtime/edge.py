"""The edge: answers alone when the exit is sure, asks the tail when it is not, and always in bounded time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.bundle import Bundle
from offramp.errors import ConfigError, DataError, PeerError
from offramp.exits import max_softmax
from offramp.runtime.client import TailClient
from offramp.runtime.models import tail_model_name
from offramp.runtime.network import FloatArray, Network

Mode = Literal["local", "remote", "split", "split+exit"]
Source = Literal["exit", "tail", "local", "fallback"]
MODES: tuple[Mode, ...] = get_args(Mode)

_PARTS: dict[Mode, tuple[str, ...]] = {
    "local": ("head", "tail"),
    "remote": (),
    "split": ("head",),
    "split+exit": ("head", "exit"),
}


@dataclass(frozen=True, eq=False)
class Answer:
    """What the edge says about one sample.

    Args:
        label: class number; `name` is its name.
        scores: (n_classes,) of whoever answered; confidence is their largest softmax.
        source: "exit" was sure; "tail" was asked; "local" ran the tail here; "fallback" is the exit's verdict
            where the tail should have answered, and `fault` and `reason` say why it did not.
        offloaded: the sample was handed to the wire, answered or not.
        latency_s: from sample to answer.
        payload_bytes: coded features or raw sample handed to the wire, 0 where nothing was.
        n_macs: multiply-adds executed on this device.
    """

    label: int
    name: str
    scores: npt.NDArray[np.float32]
    confidence: float
    source: Source
    offloaded: bool
    latency_s: float
    payload_bytes: int
    fault: PeerError | None
    n_macs: int

    @property
    def reason(self) -> str | None:
        """The fault in words."""
        return None if self.fault is None else str(self.fault)


@dataclass
class _Work:
    """What was computed on the device for one sample."""

    networks: dict[str, Network]
    n_macs: int = 0

    def run(self, part: str, x: FloatArray) -> FloatArray:
        network = self.networks[part]
        self.n_macs += network.n_macs
        return network(x)


@dataclass(frozen=True)
class _Verdict:
    scores: FloatArray  # (n_classes,)
    source: Source
    n_macs: int
    payload_bytes: int = 0
    fault: PeerError | None = None


class Edge:
    """The device's side of a split network. Context manager; `infer` may be called from several threads.

    Args:
        bundle: with head and tail for mode "local", head for "split", head and exit for "split+exit", each
            with the encoder if the network has one. Where
            head and exit are there, their verdict stands in for a tail that does not answer; where they are
            not, `infer` raises instead.
        tail: "host:port"; not used, and no socket opened, in mode "local".
        mode: one of MODES: all here, raw samples sent, features sent, features sent when the exit is unsure.
        deadline_s: the longest that reaching the tail and its answer may take together.
        threads: for the native kernels.

    Raises:
        ConfigError: an unknown mode, a part that the mode needs, a missing or malformed address.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        tail: str | None = None,
        mode: Mode = "split+exit",
        deadline_s: float = 0.5,
        threads: int = 1,
    ) -> None:
        if mode not in MODES:
            raise ConfigError(f"unknown mode {mode!r}; use one of {', '.join(MODES)}")
        needed = [*_PARTS[mode], *(["encoder"] if bundle.encoder_digest and mode != "remote" else [])]
        missing = [part for part in needed if part not in bundle.parts]
        if missing:
            raise ConfigError(
                f"mode {mode!r} needs the bundle's {' and '.join(missing)};"
                f" bundle {bundle.name!r} has {', '.join(bundle.parts)}"
            )
        if mode != "local" and tail is None:
            raise ConfigError(f"mode {mode!r} needs a tail; give tail='host:port', or use mode 'local'")
        self._bundle = bundle
        self._mode = mode
        self._networks: dict[str, Network] = {
            name: Network(part, threads=threads)
            for name, part in bundle.parts.items()
            if name in ("head", "encoder", "tail" if mode == "local" else "exit")
        }
        self._client = TailClient(tail, deadline_s=deadline_s) if tail and mode != "local" else None
        self._ids = itertools.count(1)
        self._closed = False

    @property
    def mode(self) -> Mode:
        return self._mode

    def connect(self, timeout_s: float = 5.0) -> bool:
        """Does now what the first sample would else pay for; whether the tail is ready.

        Calling it is optional, and an edge whose tail is not ready yet works all the same. Mode "local" needs
        no tail: always True.
        """
        for network in self._networks.values():
            network(np.zeros((1, network.n_in), np.float32))
        if self._client is None:
            return True
        return self._client.wait_until_ready(self._model_name, timeout_s)

    def infer(self, sample: npt.ArrayLike) -> Answer:
        """The answer to one raw sample, shaped and typed as the bundle's preprocessing says.

        Raises:
            DataError: another shape or type, or values that the network cannot digest.
            PeerError: the tail failed, and this edge has no head and exit to fall back on.
            ConfigError: the edge is closed.
        """
        started = time.perf_counter()
        if self._closed:
            raise ConfigError("this edge is closed; make a new one")
        verdict = self._verdict(self._batch_of_one(sample))
        if not np.isfinite(verdict.scores).all():
            raise DataError("the scores overflow on this sample; look for values far outside the data")
        label = int(verdict.scores.argmax())
        return Answer(
            label=label,
            name=self._bundle.classes[label],
            scores=verdict.scores,
            confidence=float(max_softmax(verdict.scores[None])[0]),
            source=verdict.source,
            offloaded=verdict.source in ("tail", "fallback"),
            latency_s=time.perf_counter() - started,
            payload_bytes=verdict.payload_bytes,
            fault=verdict.fault,
            n_macs=verdict.n_macs,
        )

    def close(self) -> None:
        """Ends the connection; closing twice is fine."""
        self._closed = True
        if self._client is not None:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _model_name(self) -> str:
        return self._bundle.name if self._mode == "remote" else tail_model_name(self._bundle)

    def _batch_of_one(self, sample: npt.ArrayLike) -> npt.NDArray[Any]:
        """(1, *shape), of the dtype that the preprocessing reads."""
        preprocessing = self._bundle.preprocessing
        raw = np.asarray(sample)
        # Bytes must be bytes: 256 would silently become 0. Floats may be given in any precision.
        casting: Literal["safe", "same_kind"] = "safe" if preprocessing.dtype == "uint8" else "same_kind"
        if not np.can_cast(raw.dtype, preprocessing.dtype, casting=casting):
            raise DataError(f"a sample of type {raw.dtype}; this network reads {preprocessing.dtype}")
        if raw.shape != preprocessing.shape:
            raise DataError(f"a sample of shape {raw.shape}; this network reads {preprocessing.shape}")
        with np.errstate(over="ignore"):  # found as infinity right below
            raw = raw.astype(preprocessing.dtype, copy=False)[None]
        if not np.isfinite(raw).all():
            raise DataError("a sample with NaN or infinity; every value must be finite")
        return raw

    def _verdict(self, raw: npt.NDArray[Any]) -> _Verdict:
        work = _Work(self._networks)
        if self._mode == "local":
            scores = work.run("tail", self._to_send(self._features(raw, work), work))
            return _Verdict(scores[0], "local", work.n_macs)
        if self._mode == "remote":
            return self._offload(
                self._raw_request(raw), raw.nbytes, work, lambda: work.run("exit", self._features(raw, work))
            )
        features = self._features(raw, work)
        if self._mode == "split":
            return self._offload_features(features, work, lambda: work.run("exit", features))
        own = work.run("exit", features)
        if self._bundle.exit_rule.sure(own)[0]:
            return _Verdict(own[0], "exit", work.n_macs)
        return self._offload_features(features, work, lambda: own)

    def _features(self, raw: npt.NDArray[Any], work: _Work) -> FloatArray:
        features = work.run("head", self._bundle.preprocessing(raw))
        if not np.isfinite(features).all():
            raise DataError("the head overflows on this sample; look for values far outside the data")
        return features

    def _to_send(self, features: FloatArray, work: _Work) -> FloatArray:
        return work.run("encoder", features) if "encoder" in self._networks else features

    def _raw_request(self, raw: npt.NDArray[Any]) -> wire.InferRequest:
        return wire.InferRequest(
            self._model_name,
            (wire.Tensor("sample", raw),),
            id=str(next(self._ids)),
            parameters={"head_digest": self._bundle.features_digest},
        )

    def _offload_features(
        self, features: FloatArray, work: _Work, own_scores: Callable[[], FloatArray]
    ) -> _Verdict:
        values = self._to_send(features, work)
        rows = self._bundle.codec.encode_rows(values)
        request = wire.features_request(
            rows,
            n_features=values.shape[1],
            model_name=self._model_name,
            codec=self._bundle.codec,
            head_digest=self._bundle.features_digest,
            id=str(next(self._ids)),
        )
        return self._offload(request, sum(map(len, rows)), work, own_scores)

    def _offload(
        self,
        request: wire.InferRequest,
        payload_bytes: int,
        work: _Work,
        own_scores: Callable[[], FloatArray],
    ) -> _Verdict:
        assert self._client is not None, "every mode but local has one"
        try:
            scores = self._client.scores(request, n_classes=len(self._bundle.classes))
        except PeerError as error:
            if not {"head", "exit"} <= self._networks.keys():
                raise
            own = own_scores()[0]
            return _Verdict(own, "fallback", work.n_macs, payload_bytes, fault=error)
        return _Verdict(scores, "tail", work.n_macs, payload_bytes)
