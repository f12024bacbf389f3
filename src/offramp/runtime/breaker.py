"""When a peer that does not answer is asked again, as arithmetic: no clock, no socket, no thread."""

from __future__ import annotations

from random import Random

from offramp.runtime.policy import LinkPolicy


class Breaker:
    """A circuit breaker around one peer.

    It is *closed* while requests pass. After `failures_to_open` failures in a row it is *open*: none passes
    until a wait is over. Then it is *half-open*: one request passes, the probe. Its failure opens it again
    for twice the wait, up to the longest; an answer, also one to an older request, closes it.

    A request that passes gets a number, under which its outcome is told once. A failure counts only while the
    state is still the one in which the request passed: those that were under way when the circuit opened say
    nothing new. Times are seconds of any clock that only goes forward. Its owner holds a lock around it.

    Args:
        rng: shortens each wait by up to half.
    """

    def __init__(self, policy: LinkPolicy, rng: Random) -> None:
        self._policy = policy
        self._rng = rng
        self._state = 0  # goes up whenever the state changes; the numbers that requests get
        self._open_until_s: float | None = None  # None while closed
        self._wait_s = policy.first_wait_s
        self._probing = False
        self.n_failures = 0  # in a row, since the last answer
        self.n_opened = 0  # from closed; a failed probe is not counted

    @property
    def closed(self) -> bool:
        return self._open_until_s is None

    @property
    def probing(self) -> bool:
        """Whether a probe is under way."""
        return self._probing

    def wait_s(self, now: float) -> float:
        """How long no request passes: 0 if one would now.

        Nobody knows when a probe under way comes to its end: meanwhile it is the first wait.
        """
        if self._open_until_s is None:
            return 0.0
        return self._policy.first_wait_s if self._probing else max(0.0, self._open_until_s - now)

    def passes(self, now: float) -> int | None:
        """The number of a request that may pass now; None if it may not."""
        if self._open_until_s is not None:
            if self.wait_s(now) > 0:
                return None
            self._probing = True
            self._state += 1
        return self._state

    def answered(self) -> None:
        """The peer gave an answer, whichever: it lives."""
        if not self.closed:
            self._state += 1
        self._open_until_s = None
        self._probing = False
        self._wait_s = self._policy.first_wait_s
        self.n_failures = 0

    def failed(self, number: int, now: float) -> None:
        """The request `number` found nobody, or no answer in time."""
        if number != self._state:
            return
        self.n_failures += 1
        if self._probing:
            self._wait_s = min(2 * self._wait_s, self._policy.longest_wait_s)
        elif self.n_failures < self._policy.failures_to_open:
            return
        else:
            self.n_opened += 1
        self._probing = False
        self._state += 1
        self._open_until_s = now + self._wait_s * self._rng.uniform(0.5, 1.0)

    def given_up(self, number: int) -> None:
        """Who asked no longer wants to know; if it was the probe, the next request is."""
        if number == self._state:
            self._probing = False
