"""The threads between a line and a tail: one listens, one asks, and whoever wants the answers takes them."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import NamedTuple, TypeVar

from offramp.errors import LineLostError
from offramp.runtime.gateway.answers import DeviceAnswer, GatewayTally
from offramp.runtime.gateway.line import SerialLine
from offramp.runtime.gateway.session import Question, Session
from offramp.wire.serial import Frame, Refusal, Refused, TailAnswer, Verdict, frame_bytes

_log = logging.getLogger(__name__)
_MAX_WAITING = 64  # questions; a serial line brings hardly more within a deadline
_MAX_UNTOLD = 1024  # answers that nobody has taken; then the line has to wait
_LOOK_S = 0.1  # how often a thread that has to wait looks whether it is to end

_T = TypeVar("_T")
Ask = Callable[[Question, float], tuple[TailAnswer, DeviceAnswer] | Refusal]
Tell = Callable[[Verdict], DeviceAnswer]


class _Asked(NamedTuple):
    question: Question
    arrived_s: float


class Talk:
    """One run of a gateway.

    The tail is asked in a thread of its own, since bytes on a line are lost when nobody reads them.

    Args:
        ask: what becomes of a question that arrived at a time of `time.monotonic`.
        tell: the answer that a verdict is.
    """

    def __init__(self, line: SerialLine, session: Session, tally: GatewayTally, ask: Ask, tell: Tell) -> None:
        self._line, self._session, self._tally = line, session, tally
        self._ask, self._tell = ask, tell
        self._asked = queue.Queue[_Asked | None](_MAX_WAITING)
        self._told = queue.Queue[DeviceAnswer | Exception | None](_MAX_UNTOLD)
        self._stop = threading.Event()
        # Nothing for an old life goes out behind the welcome to the next, and what a device says to an answer
        # is told behind that.
        self._in_order = threading.RLock()

    def answers(self) -> Generator[DeviceAnswer]:
        """As `Gateway.answers`."""
        threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True)
            for work in (self._listen, self._ask_all)
        ]
        for thread in threads:
            thread.start()
        try:
            while (told := self._told.get()) is not None:
                if isinstance(told, Exception):
                    raise told
                yield told
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
            self._line.close()

    def _guarded(self, work: Callable[[], None]) -> None:
        """What goes wrong in a thread ends the talk, with its error."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 (told to whoever takes the answers)
            self._put(self._told, error)

    def _put(self, where: queue.Queue[_T], what: _T) -> None:
        """Waits for room, unless all is to end."""
        while not self._stop.is_set():
            try:
                where.put(what, timeout=_LOOK_S)
            except queue.Full:
                continue
            return

    def _listen(self) -> None:
        while self._line.open(self._stop):
            self._tally.add("openings")
            try:
                self._hear()
            except LineLostError as error:
                _log.info(error)
            self._line.close()
            if self._line.once:
                break
        self._put(self._asked, None)  # behind the last question: its answer may be why the device is gone

    def _hear(self) -> None:
        self._send(self._session.begin())
        while not self._stop.is_set():
            for heard in self._session.receive(self._line.read()):
                match heard:
                    case Question():
                        self._enqueue(heard)
                    case Verdict(source=source):
                        with self._in_order:
                            self._tally.add(source)
                            self._put(self._told, self._tell(heard))
                    case reply:
                        self._send(reply)

    def _enqueue(self, question: Question) -> None:
        try:
            self._asked.put_nowait(_Asked(question, time.monotonic()))
        except queue.Full:
            self._tally.add("busy")
            self._send(Refusal(question.sequence, Refused.BUSY))

    def _ask_all(self) -> None:
        while not self._stop.is_set():
            try:
                asked = self._asked.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if asked is None:
                self._put(self._told, None)
                return
            self._answer(asked)

    def _answer(self, asked: _Asked) -> None:
        reply = self._ask(*asked)
        frame, answer = (reply, None) if isinstance(reply, Refusal) else reply
        with self._in_order:
            if asked.question.life != self._session.life:
                self._tally.add("late")
                return
            try:
                self._send(frame)
            except LineLostError:  # the thread that listens finds that out itself
                self._tally.add("late")
                return
            if answer is not None:
                self._tally.add("tail")
                latency_s = time.monotonic() - asked.arrived_s
                self._put(self._told, replace(answer, latency_s=latency_s))

    def _send(self, frame: Frame) -> None:
        data = frame_bytes(frame)
        with self._in_order:
            self._line.write(data)
        self._tally.add("bytes_out", len(data))
