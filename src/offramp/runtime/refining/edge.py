"""The edge that answers at once and is corrected later."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.errors import ConfigError, JournalError, JournalFullError, OfframpError, PeerError
from offramp.runtime.answer import Answer, Answers
from offramp.runtime.client import TailClient
from offramp.runtime.device import Device, Mode, Unsure
from offramp.runtime.fleet import REPORT_EVERY_S, EdgeTally, Reporter
from offramp.runtime.journal import Counts, Entry, Journal, Verdict
from offramp.runtime.offload import Offloads
from offramp.runtime.refining.handover import Handover
from offramp.runtime.refining.refined import Refined
from offramp.runtime.refining.sender import Sender
from offramp.runtime.refining.settings import RefiningSettings
from offramp.runtime.security import ClientSecurity
from offramp.runtime.tail_counts import TailCounts
from offramp.wire import EdgeReport

logger = logging.getLogger(__name__)


class RefiningEdge:
    """The device's side of a split network, with two answers to each sample that its exit is not sure of.

    `infer` never waits for the tail: an unsure sample is kept in the journal, which is the side buffer, and
    gets the exit's verdict, marked "provisional". In the background the tail is asked, whenever it is there;
    what it says comes out of `refinements`, or goes to `on_refined`, once for each sample and with the word
    whether the first answer is retracted. Context manager; it may be asked from several threads.

    With a journal in a file, what was promised survives a crash of device, server and link: whatever has no
    outcome when a process ends is sent by the next one, and an outcome comes again until it is acknowledged.

    Where the journal is full, or its disk fails, the exit's verdict is final, marked "fallback", and `fault`
    says why; a failed journal is tried again every 2 s.

    Args:
        bundle: with head and exit; with the encoder too if the network has one.
        tail: "host:port".
        journal: a path, a `Journal` with settings of its own (closed with the edge), or None for memory: then
            nothing survives the process. A path is used with `move_aside` and without `must_open`.
        on_refined: called in a thread of its own with each outcome, perhaps before `infer` has returned; the
            outcome is acknowledged when that returns. If it raises, that is logged, and it is called with the
            same again after a pause.
        mode: "split+exit"; "split" has every sample refined, and "remote" too, by the raw sample.
        settings: of what happens in the background.
        security, threads, drift_alarm_every, plain_features, int8, name, report_every_s: see `Edge`.

    Raises:
        ConfigError: as `Edge`, or a bundle without head and exit.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        tail: str,
        journal: Journal | str | os.PathLike[str] | None = None,
        on_refined: Callable[[Refined], object] | None = None,
        mode: Mode = "split+exit",
        settings: RefiningSettings | None = None,
        security: ClientSecurity | None = None,
        threads: int = 1,
        drift_alarm_every: int = 1_000_000,
        plain_features: bool = False,
        int8: bool = False,
        name: str | None = None,
        report_every_s: float = REPORT_EVERY_S,
    ) -> None:
        if mode == "local":
            raise ConfigError("mode 'local' asks no tail; use Edge, or mode 'split+exit'")
        self._device = Device(bundle, mode, threads=threads, drift_alarm_every=drift_alarm_every, int8=int8)
        if not self._device.has_own_verdict:
            raise ConfigError(
                f"bundle {bundle.name!r} has {', '.join(bundle.parts)}; to answer before the tail it needs"
                " head and exit"
            )
        self._tally = None if name is None else EdgeTally(name, bundle, mode)
        settings = settings or RefiningSettings()
        self._bundle = bundle
        self._offloads = Offloads(bundle, raw=mode == "remote", plain=plain_features)
        self._client = TailClient(tail, deadline_s=settings.deadline_s, security=security)
        self._journal = (
            journal if isinstance(journal, Journal) else Journal(journal, move_aside=True, must_open=False)
        )
        if self._journal.moved_aside is not None:
            logger.warning(
                "the journal was damaged: it is kept as %s, and an empty one has begun",
                self._journal.moved_aside,
            )
        self._handover = Handover(self._journal, bundle.classes, failed=lambda: self._sender.wake())
        self._sender = Sender(
            self._journal,
            self._client,
            n_classes=len(bundle.classes),
            settings=settings,
            told=self._handover.look,
        )
        self._sender.start()
        self._closed = False
        self._teller: threading.Thread | None = None
        if on_refined is not None:
            self._teller = threading.Thread(
                target=self._handover.tell, args=(on_refined,), name="offramp-teller", daemon=True
            )
            self._teller.start()
        self._counts = Counts(*[0] * len(Counts._fields))  # as they were when the journal last told them
        self._reporter = None
        if self._tally is not None:
            self._reporter = Reporter(self._report, self._client.report, every_s=report_every_s)

    @property
    def mode(self) -> Mode:
        return self._device.mode

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def drift_alarms(self) -> int:
        """How often an exit's confidences were found unlike those of its calibration."""
        return self._device.drift_alarms

    @property
    def journal_failure(self) -> str | None:
        """Why the journal has stopped, None while it works."""
        return self._journal.failure

    @property
    def tail_counts(self) -> TailCounts:
        """What became of the requests to the tail, each of one offload or many."""
        return self._client.counts

    @property
    def last_fault(self) -> PeerError | None:
        """Why the last request to the tail failed, None after one that did not."""
        return self._sender.last_fault

    def counts(self) -> Counts:
        """What waits for the tail or for the application, and what happened so far.

        Raises:
            JournalError: the journal has stopped.
        """
        return self._journal.counts()

    def connect(self, timeout_s: float = 5.0) -> bool:
        """Does now what the first sample would else pay for; whether the tail is ready. Optional."""
        self._device.warm_up()
        return self._client.wait_until_ready(self._offloads.model_name, timeout_s)

    def infer(self, sample: npt.ArrayLike, id: str | None = None) -> Answer:
        """The exit's answer to one raw sample, final or provisional.

        Args:
            id: of the sample, one of its own, 1 to 200 characters; made up if None. The same sample may come
                again under its id, after a crash for instance: it is refined once all the same.

        Raises:
            DataError: as `Edge.infer`; an id that another sample has.
            ConfigError: the edge is closed.
        """
        return self.infer_many(np.asarray(sample)[None], None if id is None else [id])[0]

    def infer_many(self, samples: npt.ArrayLike, ids: Sequence[str] | None = None) -> list[Answer]:
        """The answers to raw samples (n, *shape), in their order; see `infer`.

        Raises:
            DataError, ConfigError: as `infer`; samples of the same call may be kept and refined then.
        """
        if self._closed:
            raise ConfigError("this edge is closed; make a new one")
        answered = list[Answer]()
        for raw, answers in self._device.blocks(samples, at_most=self._offloads.max_rows, ids=ids):
            if ids is None:
                answers.ids = [uuid.uuid4().hex for _ in raw]
            unsure = self._device.decide(raw, answers)
            if unsure is not None:
                self._promise(unsure, answers)
            given = answers.in_order()
            if self._tally is not None:
                self._tally.answered(given)
            answered += given
        return answered

    def refinements(self, *, timeout_s: float | None = None) -> Iterator[Refined]:
        """Outcomes as they become known, for one reader at a time.

        Each is acknowledged when the next one is asked for: what the body of a loop did not finish with comes
        again, in the next loop or after the next start. Ends when the edge is closed, or when nothing came
        for `timeout_s`.

        Raises:
            ConfigError: they are read elsewhere already, or go to `on_refined`.
        """
        return self._handover.outcomes(timeout_s)

    def settle(self, timeout_s: float) -> bool:
        """Waits until every sample has its outcome, which with `on_refined` was handed over too.

        Returns: whether that is so now; False after the timeout, or where the journal has stopped.
        """
        return self._handover.settled(timeout_s, handed_over=self._teller is not None)

    def close(self, *, hand_over: bool = True) -> None:
        """Ends the connection; what has no outcome yet stays in the journal. Closing twice is fine.

        Args:
            hand_over: what is known already goes to `on_refined` first; else it stays in the journal too, and
                so does the one that is there now, unacknowledged.
        """
        if self._closed:
            return
        self._closed = True
        self._sender.stop()
        if self._reporter is not None:
            self._reporter.close()
        self._client.close()
        self._sender.join()
        self._handover.end(at_once=not hand_over)
        if self._teller is not None:
            self._teller.join()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(hand_over=kind is None)

    def _report(self, stopped: bool) -> EdgeReport:
        assert self._tally is not None, "only an edge with a name reports"
        fault: OfframpError | None = self._sender.last_fault
        try:
            self._counts = self._journal.counts()
        except JournalError as error:
            fault = error
        return self._tally.report(
            n_refused=self._client.counts.not_taken,
            n_drift_alarms=self.drift_alarms,
            n_refined=self._counts.refined,
            n_retracted=self._counts.retracted,
            n_given_up=self._counts.given_up + self._counts.dropped,
            n_waiting=self._counts.pending,
            last_error=str(fault or ""),
            stopped=stopped,
        )

    def _promise(self, unsure: Unsure, answers: Answers) -> None:
        """Provisional answers to these samples once they are kept, final ones to those that cannot be."""
        assert unsure.own is not None, "head and exit are there"
        own, rows = unsure.own(), unsure.rows
        answers.check_finite(rows, own.scores, "the scores overflow")  # before anything is promised
        offloads = self._offloads.each(unsure.values)
        now, digest = time.time(), self._bundle.features_digest
        entries = [
            Entry(answers.ids[row], now, offload.request.to_bytes(), Verdict(label, confidence), digest)
            for row, offload, label, confidence in zip(
                rows.tolist(),
                offloads,
                own.scores.argmax(axis=1).tolist(),
                own.confidence.tolist(),
                strict=True,
            )
        ]
        faults = self._keep(entries)
        self._sender.wake()
        self._handover.look()  # to keep these, the oldest may have been given up
        # One fault at most in nearly every call, and nearly always none.
        for fault in dict.fromkeys(faults):
            chosen = np.flatnonzero([other is fault for other in faults])
            answers.add(
                rows[chosen],
                own.scores[chosen],
                source="provisional" if fault is None else "fallback",
                exit="exit",
                confidence=own.confidence[chosen],
                n_macs=own.n_macs,
                payload_bytes=None if fault else [offloads[i].payload_bytes[0] for i in chosen],
                fault=fault,
            )

    def _keep(self, entries: Sequence[Entry]) -> list[JournalError | None]:
        """Why each of these could not be kept, None for those that are."""
        try:
            self._journal.append(*entries)
        except JournalFullError as error:
            if len(entries) == 1:
                return [error]
            return [
                fault for entry in entries for fault in self._keep([entry])
            ]  # as many as there is room for
        except JournalError as error:
            return [error] * len(entries)
        return [None] * len(entries)
