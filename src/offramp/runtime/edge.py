"""The edge: answers alone when an exit is sure, asks the tail when none is, and always in bounded time."""

from __future__ import annotations

import sys
from typing import Self

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.errors import ConfigError, PeerError
from offramp.runtime.answer import Answer, Answers
from offramp.runtime.client import TailClient
from offramp.runtime.device import Device, Mode, Unsure
from offramp.runtime.fleet import REPORT_EVERY_S, EdgeTally, Reporter
from offramp.runtime.offload import Offloads
from offramp.runtime.policy import LinkPolicy
from offramp.runtime.security import ClientSecurity
from offramp.runtime.tail_counts import TailCounts
from offramp.wire import EdgeReport


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
        policy: when a tail that does not answer is left alone, and whether requests are hedged.
        threads: for the native kernels.
        drift_alarm_every: in mode "split+exit" each exit whose rule has a profile is watched: its confidences
            in the samples that come to it are held against those of calibration. A false alarm of an exit
            comes once in so many of its samples, on average and at most; 0 for no watch.
        plain_features: features are sent as they are, FP32, which any server of the protocol reads. The
            bundle's codec is left out: more bytes, and scores without its rounding.
        int8: computes with integers, by the bundle's quantisation: the same symbols, verdicts and bytes as
            the exported microcontroller.
        name: of this device, under which it reports to the tail what it has done, for a page that shows all
            edges; None sends nothing.
        report_every_s: seconds between two reports; no answer waits for one.

    Raises:
        ConfigError: an unknown mode, a part that the mode needs, a missing or malformed address, a negative
            `drift_alarm_every`, files of `security` that cannot be used, a token sent in the clear, a name
            that cannot be one, or in mode "local" any, as nothing is sent there; with `int8` a bundle that is
            not quantised or has inner exits.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        tail: str | None = None,
        mode: Mode = "split+exit",
        deadline_s: float = 0.5,
        security: ClientSecurity | None = None,
        policy: LinkPolicy | None = None,
        threads: int = 1,
        drift_alarm_every: int = 1_000_000,
        plain_features: bool = False,
        int8: bool = False,
        name: str | None = None,
        report_every_s: float = REPORT_EVERY_S,
    ) -> None:
        self._device = Device(bundle, mode, threads=threads, drift_alarm_every=drift_alarm_every, int8=int8)
        if mode != "local" and tail is None:
            raise ConfigError(f"mode {mode!r} needs a tail; give tail='host:port', or use mode 'local'")
        if mode == "local" and name is not None:
            raise ConfigError(f"edge {name!r} in mode 'local' has nobody to report to; leave out the name")
        self._bundle = bundle
        self._tally = None if name is None else EdgeTally(name, bundle, mode)
        self._offloads = (
            None if mode == "local" else Offloads(bundle, raw=mode == "remote", plain=plain_features)
        )
        self._client = (
            TailClient(tail, deadline_s=deadline_s, security=security, policy=policy)
            if tail and mode != "local"
            else None
        )
        self._closed = False
        self._reporter = None
        if self._tally and self._client:
            self._reporter = Reporter(self._report, self._client.report, every_s=report_every_s)

    @property
    def mode(self) -> Mode:
        return self._device.mode

    @property
    def drift_alarms(self) -> int:
        """How often an exit's confidences were found unlike those of its calibration."""
        return self._device.drift_alarms

    @property
    def tail_counts(self) -> TailCounts:
        """What became of the requests to the tail; none in mode "local"."""
        return TailCounts() if self._client is None else self._client.counts

    def connect(self, timeout_s: float = 5.0) -> bool:
        """Does now what the first sample would else pay for; whether the tail is ready.

        Calling it is optional, and an edge whose tail is not ready yet works all the same. Mode "local" needs
        no tail: always True.
        """
        self._device.warm_up()
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
        return self.infer_many(np.asarray(sample)[None])[0]

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
        if self._closed:
            raise ConfigError("this edge is closed; make a new one")
        at_most = sys.maxsize if self._offloads is None else self._offloads.max_rows
        answered = list[Answer]()
        for raw, answers in self._device.blocks(samples, at_most=at_most):
            unsure = self._device.decide(raw, answers)
            if unsure is not None:
                self._ask(unsure, answers)
            given = answers.in_order()
            if self._tally is not None:
                self._tally.answered(given)
            answered += given
        return answered

    def close(self) -> None:
        """Ends the connection; closing twice is fine."""
        self._closed = True
        if self._reporter is not None:
            self._reporter.close()
        if self._client is not None:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _report(self, stopped: bool) -> EdgeReport:
        assert self._tally is not None, "only an edge with a name reports"
        assert self._client is not None, "likewise"
        return self._tally.report(
            n_refused=self._client.counts.not_taken, n_drift_alarms=self.drift_alarms, stopped=stopped
        )

    def _ask(self, unsure: Unsure, answers: Answers) -> None:
        """The tail's answers to these samples, or the exit's where that fails."""
        assert self._client is not None, "every mode but local has one"
        assert self._offloads is not None, "likewise"
        offload, rows = self._offloads.of(unsure.values), unsure.rows
        try:
            scores = self._client.scores(
                offload.request,
                n_rows=len(rows),
                n_classes=len(self._bundle.classes),
                waits_for_probe=unsure.own is None,  # else what is at hand is worth more
            )
        except PeerError as error:
            if unsure.own is None:
                if self._tally is not None:
                    self._tally.failed(offload.payload_bytes, error)
                raise
            own = unsure.own()
            answers.add(
                rows,
                own.scores,
                source="fallback",
                exit="exit",
                confidence=own.confidence,
                n_macs=own.n_macs,
                payload_bytes=offload.payload_bytes,
                fault=error,
            )
        else:
            answers.add(
                rows, scores, source="tail", n_macs=unsure.n_macs, payload_bytes=offload.payload_bytes
            )
