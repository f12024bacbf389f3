from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from offramp.errors import ConfigError
from offramp.runtime.breaker import Breaker
from offramp.runtime.policy import LinkPolicy


def opened(policy=None, *, now=0.0, seed=1):
    """A breaker right after it opened, and its policy."""
    policy = policy or LinkPolicy()
    breaker = Breaker(policy, Random(seed))
    for _ in range(policy.failures_to_open):
        breaker.failed(breaker.passes(now), now)
    return breaker, policy


def test_it_opens_at_the_failure_that_the_policy_names_and_not_before():
    breaker, policy = Breaker(LinkPolicy(failures_to_open=3), Random(1)), LinkPolicy()
    for n_failures in range(policy.failures_to_open):
        assert breaker.closed, n_failures
        breaker.failed(breaker.passes(0), 0)
    assert not breaker.closed
    assert breaker.passes(0) is None
    assert breaker.n_opened == 1


def test_an_answer_between_two_failures_begins_the_row_anew():
    breaker = Breaker(LinkPolicy(failures_to_open=2), Random(1))
    for _ in range(5):
        breaker.failed(breaker.passes(0), 0)
        breaker.answered()
    assert breaker.closed


def test_waits_double_up_to_the_longest_and_begin_anew_after_an_answer():
    breaker, now, waits = *opened(LinkPolicy(longest_wait_s=5))[:1], 0.0, []
    for _ in range(9):
        waits.append(breaker.wait_s(now))
        now += waits[-1]
        breaker.failed(breaker.passes(now), now)
    for wait, most in zip(waits, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5], strict=True):
        assert most / 2 <= wait <= most
    breaker.answered()
    for _ in range(3):
        breaker.failed(breaker.passes(now), now)
    assert 0.05 <= breaker.wait_s(now) <= 0.1


def test_two_devices_that_lost_their_tail_together_do_not_come_back_together():
    assert opened(seed=1)[0].wait_s(0) != opened(seed=2)[0].wait_s(0)


def test_requests_under_way_when_it_opened_say_nothing_about_the_probe():
    breaker = Breaker(LinkPolicy(failures_to_open=1), Random(1))
    early = [breaker.passes(0) for _ in range(3)]
    breaker.failed(early[0], 0)
    wait_s = breaker.wait_s(0)
    breaker.failed(early[1], 0)
    assert breaker.wait_s(0) == wait_s
    probe = breaker.passes(1)
    breaker.failed(early[2], 1)
    assert breaker.probing
    breaker.answered()
    breaker.failed(probe, 1)
    assert breaker.closed


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"failures_to_open": 0}, "failures_to_open=0; use 1 or more requests"),
        ({"first_wait_s": 0}, "first_wait_s=0, longest_wait_s=2.0; use seconds above 0"),
        ({"first_wait_s": 6}, "first_wait_s=6, longest_wait_s=2.0"),
        ({"longest_wait_s": float("inf")}, "longest_wait_s=inf"),
        ({"first_wait_s": float("nan")}, "first_wait_s=nan"),
        ({"hedge_after_s": 0}, "hedge_after_s=0; use seconds above 0, or None for never"),
        ({"hedge_after_s": float("nan")}, "hedge_after_s=nan"),
    ],
    ids=["failures", "no wait", "first above longest", "forever", "nan", "hedge", "hedge nan"],
)
def test_a_policy_that_cannot_be_is_refused(settings, text):
    with pytest.raises(ConfigError, match=text):
        LinkPolicy(**settings)


class Requests(RuleBasedStateMachine):
    """Requests that pass, end and are given up in any order, against a plain account of the rules."""

    @initialize(
        n=st.integers(1, 4), first=st.floats(0.01, 1), factor=st.floats(1, 100), seed=st.integers(0, 9)
    )
    def begin(self, n, first, factor, seed):
        self.policy = LinkPolicy(n, first, first * factor)
        self.breaker = Breaker(self.policy, Random(seed))
        self.now = 0.0
        self.n_failed = 0  # in a row
        self.n_probes_failed = 0  # since it opened
        self.counting = []  # requests whose failure counts
        self.stale = []
        self.probe = None

    @rule(seconds=st.floats(0, 10))
    def time_passes(self, seconds):
        before = self.breaker.wait_s(self.now)
        self.now += seconds
        if self.probe is None:
            assert self.breaker.wait_s(self.now) == pytest.approx(max(0, before - seconds), abs=1e-6)

    @rule()
    def ask(self):
        was_closed, wait_s = self.breaker.closed, self.breaker.wait_s(self.now)
        number = self.breaker.passes(self.now)
        assert (number is None) == (wait_s > 0)
        if number is None:
            return
        if not was_closed:
            assert self.probe is None, "a second probe"
            self.probe = number
        self.counting.append(number)

    @precondition(lambda self: self.counting)
    @rule(data=st.data())
    def one_that_counts_fails(self, data):
        number = self.counting.pop(data.draw(st.integers(0, len(self.counting) - 1)))
        was_closed = self.breaker.closed
        self.breaker.failed(number, self.now)
        self.n_failed += 1
        if was_closed and self.n_failed < self.policy.failures_to_open:
            assert self.breaker.closed
            return
        self.n_probes_failed = 0 if was_closed else self.n_probes_failed + 1
        self.now_stale()
        most = min(self.policy.first_wait_s * 2**self.n_probes_failed, self.policy.longest_wait_s)
        assert most / 2 - 1e-6 <= self.breaker.wait_s(self.now) <= most + 1e-6

    @precondition(lambda self: self.stale)
    @rule()
    def one_from_before_fails(self):
        before = self.breaker.wait_s(self.now), self.breaker.n_failures
        self.breaker.failed(self.stale.pop(), self.now)
        assert (self.breaker.wait_s(self.now), self.breaker.n_failures) == before

    @precondition(lambda self: self.counting or self.stale)
    @rule()
    def one_is_answered(self):
        (self.counting or self.stale).pop()
        if not self.breaker.closed:
            self.now_stale()
        self.breaker.answered()
        self.n_failed = 0
        assert self.breaker.closed

    @precondition(lambda self: self.counting)
    @rule()
    def one_is_given_up(self):
        number = self.counting.pop()
        self.breaker.given_up(number)
        if number == self.probe:
            self.probe = None
            assert self.breaker.wait_s(self.now) == 0, "the next request is the probe"

    def now_stale(self):
        self.stale += self.counting
        self.counting, self.probe = [], None

    @invariant()
    def accounts_agree(self):
        if not hasattr(self, "breaker"):
            return
        assert self.breaker.n_failures == self.n_failed
        assert self.breaker.probing == (self.probe is not None)
        assert self.breaker.closed == (self.n_failed < self.policy.failures_to_open)
        assert 0 <= self.breaker.wait_s(self.now) <= self.policy.longest_wait_s


Requests.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRequests = Requests.TestCase
