"""What is sent, in which order, how often, and what becomes of it: against a tail that is a list of moods."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp import wire
from offramp.errors import (
    JournalError,
    TailRefusedError,
    TailUnreachableError,
    WireError,
)
from offramp.runtime.journal import Entry, Journal, Verdict
from offramp.runtime.refining import RefiningSettings
from offramp.runtime.refining.sender import Sender

UNREACHABLE = TailUnreachableError("tail x is not there")
DAMAGED = WireError("damaged")


def refusal(status):
    return TailRefusedError(f"tail x refused, {status}", status=status)


def request(value, head="h"):
    rows = np.full((1, 2), value, np.uint8)
    return wire.InferRequest("m.tail", (wire.Tensor("features", rows),), parameters={"head_digest": head})


def entry(id, *, value=None, created_s=0.0, head="h"):
    value = int(id) if value is None else value
    return Entry(id, created_s, request(value, head).to_bytes(), Verdict(0, 0.5), head)


class Tail:
    """Answers class 1 to even rows and class 2 to odd ones; `mood(values)` may say an error instead."""

    def __init__(self, mood=lambda values: None):
        self.mood = mood
        self.retry_in_s = 0.0
        self.asked = []
        self.ids = []

    def scores(self, request, *, n_rows, n_classes, deadline_s=None):
        values = request.inputs[0].array[:, 0].tolist()
        assert len(values) == n_rows
        self.asked.append(values)
        self.ids.append(request.id)
        if error := self.mood(values):
            raise error
        return np.eye(n_classes, dtype=np.float32)[[1 + value % 2 for value in values]]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Bench:
    """A sender with all that is around it."""

    def __init__(self, mood=lambda values: None, **settings):
        self.journal, self.tail, self.clock = Journal(None), Tail(mood), Clock()
        self.sender = Sender(
            self.journal, self.tail, n_classes=3, settings=RefiningSettings(**settings), clock=self.clock
        )

    def append(self, *ids, **changes):
        self.journal.append(*(entry(str(id), **changes) for id in ids))

    def steps(self, n):
        """So many turns, each after what the last one wants to wait."""
        for _ in range(n):
            wait_s = self.sender.step()
            if wait_s < 1e6:
                self.clock.now += wait_s + 1e-6

    def outcomes(self):
        return {one.id: one.refined and one.refined.label for one in self.journal.undelivered(10_000)}


def test_what_has_gathered_goes_in_one_request_and_is_refined_by_its_own_row():
    bench = Bench()
    bench.append(*range(5))
    bench.steps(2)
    assert bench.tail.asked == [[0, 1, 2, 3, 4]]
    assert bench.outcomes() == {"0": 1, "1": 2, "2": 1, "3": 2, "4": 1}


def test_a_request_holds_at_most_so_many_samples():
    bench = Bench(max_batch=4)
    bench.append(*range(10))
    bench.steps(4)
    assert [len(values) for values in bench.tail.asked] == [4, 4, 2]


def test_nothing_is_sent_while_the_circuit_is_open():
    bench = Bench()
    bench.append(1)
    bench.tail.retry_in_s = 0.4
    bench.steps(3)
    assert bench.tail.asked == []
    bench.tail.retry_in_s = 0.0
    bench.steps(1)
    assert bench.outcomes() == {"1": 2}


def test_what_had_no_answer_goes_again_and_is_never_given_up():
    bench = Bench(lambda values: UNREACHABLE)
    bench.append(*range(8))
    bench.steps(200)
    assert bench.outcomes() == {}
    assert bench.tail.asked[0] == list(range(8))
    bench.tail.mood = lambda values: None
    bench.steps(10)
    assert len(bench.outcomes()) == 8


def test_a_request_without_an_answer_is_followed_by_one_half_as_large_and_a_good_one_by_one_twice():
    bench = Bench(lambda values: UNREACHABLE, max_batch=16)
    bench.append(*range(64))
    bench.steps(5)
    assert [len(values) for values in bench.tail.asked] == [16, 8, 4, 2, 1]
    bench.tail.mood = lambda values: None
    bench.steps(6)
    assert [len(values) for values in bench.tail.asked[5:]] == [1, 2, 4, 8, 16, 16]


@pytest.mark.parametrize("error", [refusal("INTERNAL"), refusal("INVALID_ARGUMENT"), DAMAGED], ids=str)
def test_a_sample_that_the_tail_cannot_bear_is_found_and_given_up_while_others_are_answered(error):
    bench = Bench(lambda values: error if 13 in values else None, max_refusals=3)
    bench.append(*range(32))
    bench.steps(1)
    assert len(bench.outcomes()) == 31
    for n in range(40, 43):
        bench.append(n)
        bench.steps(3)
    outcomes = bench.outcomes()
    assert outcomes.pop("13") is None
    assert None not in outcomes.values()
    [given_up] = [one for one in bench.journal.undelivered(100) if one.id == "13"]
    assert given_up.reason == f"refused 3 times: {error}"


@given(st.sampled_from([DAMAGED, refusal("INTERNAL"), refusal("FAILED_PRECONDITION"), refusal("")]))
def test_a_tail_that_refuses_everything_costs_nobody_an_outcome(error):
    bench = Bench(lambda values: error, max_refusals=2)
    bench.append(*range(8))
    bench.steps(100)
    assert bench.outcomes() == {}
    bench.tail.mood = lambda values: None
    bench.steps(3)
    assert len(bench.outcomes()) == 8


def test_a_refusal_that_is_of_no_sample_is_not_looked_for_among_the_samples():
    bench = Bench(lambda values: refusal("FAILED_PRECONDITION"))
    bench.append(*range(16))
    bench.steps(1)
    assert bench.tail.asked == [list(range(16))]


def test_what_was_refused_waits_longer_each_time():
    bench = Bench(lambda values: refusal("INTERNAL"))
    bench.append(1)
    times = []
    while len(times) < 9:
        before = len(bench.tail.asked)
        bench.steps(1)
        if len(bench.tail.asked) > before:
            times.append(bench.clock.now)
    pauses = np.diff(times)
    assert (np.diff(pauses[:6]) > 0).all()
    assert pauses.max() < 5.1


def test_offloads_of_another_head_go_in_a_request_of_their_own():
    bench = Bench()
    bench.append(1, 2)
    bench.append(3, head="old")
    bench.append(4)
    bench.steps(2)
    assert bench.tail.asked == [[1, 2], [3], [4]]


def test_a_request_that_cannot_be_read_is_given_up_and_holds_nobody_up():
    bench = Bench(max_batch=2)
    unreadable = [Entry(id, 0.0, b"\xff", Verdict(0, 0.5), "h") for id in ("x", "y", "z")]
    bench.journal.append(*unreadable, entry("1"), entry("2"))
    bench.steps(3)
    assert bench.outcomes() == {"x": None, "y": None, "z": None, "1": 2, "2": 1}
    reasons = {one.reason for one in bench.journal.undelivered() if one.refined is None}
    assert reasons == {"its request cannot be read: 1 bytes that are no ModelInferRequest"}


def test_after_too_long_a_time_a_sample_is_given_up():
    bench = Bench(lambda values: UNREACHABLE, refine_within_s=10)
    bench.append(1, created_s=0.0)
    bench.append(2, created_s=6.0)
    bench.clock.now = 10.5
    bench.sender.step()
    assert bench.outcomes() == {"1": None}
    [given_up] = bench.journal.undelivered()
    assert given_up.reason == "no answer within 10 s"
    bench.clock.now = 16.5
    bench.sender.step()
    assert bench.outcomes() == {"1": None, "2": None}


def test_an_answer_that_cannot_be_kept_is_asked_for_again():
    bench = Bench()
    bench.append(1)
    bench.tail.mood = lambda values: bench.journal._table.connection.execute("DROP TABLE offload") and None
    with pytest.raises(JournalError):
        bench.sender.step()
    with pytest.raises(JournalError):
        bench.sender.step()
    assert bench.tail.asked == [[1]]


@given(st.data())
def test_in_any_weather_every_sample_gets_its_own_answer_once(data):
    weather = st.sampled_from([None, None, UNREACHABLE, DAMAGED, refusal("INTERNAL"), refusal("NOT_FOUND")])
    bench = Bench(lambda values: data.draw(weather), max_batch=8, max_refusals=1000)
    total = 0
    for _ in range(data.draw(st.integers(1, 6))):
        n = data.draw(st.integers(0, 12))
        bench.append(*range(total, total + n))
        total += n
        bench.steps(data.draw(st.integers(0, 4)))
    bench.tail.mood = lambda values: None
    bench.steps(2 * total + 10)
    assert bench.outcomes() == {str(i): 1 + i % 2 for i in range(total)}
    assert bench.journal.counts().repeated == 0
