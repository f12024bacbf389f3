import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import grpc
import numpy as np
import pytest

from offramp import wire
from offramp.errors import (
    ConfigError,
    PeerError,
    TailBusyError,
    TailRefusedError,
    TailUnreachableError,
    WireError,
)
from offramp.runtime import ShapedLink
from offramp.runtime.client import TailClient
from offramp.runtime.connection import Line
from offramp.runtime.policy import LinkPolicy
from offramp.runtime.tail_counts import TailCounts
from offramp.wire import InferRequest, InferResponse, Tensor

SCORES = np.array([[1, 5, 3]], np.float32)
SOON = LinkPolicy(first_wait_s=0.02, longest_wait_s=0.05)
NEVER_AGAIN = LinkPolicy(first_wait_s=1000, longest_wait_s=1000)


def honest(request):
    return InferResponse("m", (Tensor("scores", SCORES),), id=request.id)


def checked(request):
    return wire.checked_response(honest(request), request)


@pytest.fixture
def connect():
    """Makes clients, closed with the test."""
    with contextlib.ExitStack() as stack:

        def make(address, *, deadline_s=5, **settings):
            client = TailClient(address, deadline_s=deadline_s, **settings)
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def link_to():
    """Makes links to an address, closed with the test; each with the address to call."""
    with contextlib.ExitStack() as stack:

        def make(address, **settings):
            link = stack.enter_context(ShapedLink("127.0.0.1", int(address.split(":")[1]), **settings))
            return link, f"127.0.0.1:{link.port}"

        yield make


def ask(client, **settings):
    request = InferRequest("m", (Tensor("x", np.ones((1, 4), np.float32)),), id="7")
    return client.scores(request, n_rows=1, n_classes=3, **settings)


def error_of(client, kind=PeerError, **settings):
    with pytest.raises(kind) as caught:
        ask(client, **settings)
    return str(caught.value)


def wait_until_due(client, *, within_s=20):
    """Until a request would be sent."""
    ends = time.monotonic() + within_s
    while (wait_s := client.retry_in_s) > 0:
        assert time.monotonic() < ends
        time.sleep(min(wait_s, 0.01))


def until_it_lives(client, *, within_s=20, **settings):
    """Asks whenever a request would be sent, until the tail says something, or gives scores."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        wait_until_due(client)
        try:
            return ask(client, **settings)
        except TailRefusedError as error:
            return error
        except TailUnreachableError:
            continue
    raise AssertionError(f"nothing within {within_s} s")


@pytest.fixture
def damaged(monkeypatch):
    """A client whose calls end well without a message, as gRPC does when the message is lost to damage."""

    @contextlib.contextmanager
    def nothing(line):
        yield SimpleNamespace(infer=lambda *_, **__: None, model_ready=lambda *_, **__: None)

    monkeypatch.setattr(Line, "connection", nothing)
    client = TailClient("127.0.0.1:9", deadline_s=1)
    yield client
    client.close()


def test_a_call_that_ends_without_a_message_is_no_answer(damaged):
    with pytest.raises(WireError, match="the call ended without an answer; it was damaged on its way"):
        damaged.scores(InferRequest("m", ()), n_rows=1, n_classes=2)
    assert damaged.counts.disbelieved == 1


def test_a_tail_that_says_nothing_is_not_ready(damaged):
    assert not damaged.wait_until_ready("m", 1)


# A tail that does not answer


def test_a_tail_that_is_not_there_is_asked_three_times_and_then_left_alone(connect, dead):
    client = connect(dead, policy=NEVER_AGAIN)
    reasons = [error_of(client, TailUnreachableError) for _ in range(5)]
    assert all(reason.startswith(f"tail {dead} is not there: ") for reason in reasons[:3])
    for reason in reasons[3:]:
        assert reason.startswith(f"tail {dead} did not answer 3 times in a row (last: is not there: ")
        assert reason.partition("; it is asked again in ")[2].endswith(" s")
    assert (client.counts.unreachable, client.counts.held_back, client.counts.opened) == (3, 2, 1)
    assert 400 < client.retry_in_s <= 1000


def test_a_silent_tail_costs_its_deadline_three_times_and_then_nothing(connect, silent):
    client = connect(silent, deadline_s=0.2, policy=NEVER_AGAIN)
    for _ in range(3):
        assert error_of(client) == f"tail {silent} gave no answer within 0.2 s"
    began = time.monotonic()
    for _ in range(200):
        assert "3 times in a row (last: gave no answer within 0.2 s); it is asked" in error_of(client)
    assert time.monotonic() - began < 20, "two hundred deadlines take 40 s"
    assert client.counts.replaced == 0, "it never spoke, so it may be about to connect"


@pytest.fixture
def gone(spawn):
    """The port of a tail that was killed."""
    tail = spawn()
    tail.process.kill()
    tail.process.wait()
    return tail.port


def test_a_tail_that_is_back_is_found_again(connect, gone, spawn):
    client = connect(f"127.0.0.1:{gone}", policy=SOON)
    for _ in range(3):
        error_of(client, TailUnreachableError)
    assert client.retry_in_s > 0
    spawn(port=gone)
    assert until_it_lives(client).status == "NOT_FOUND"  # it has no model "m"
    assert client.retry_in_s == 0
    assert client.counts.refused == 1


def test_a_tail_that_says_that_it_is_ready_is_asked_at_once(connect, gone, spawn):
    client = connect(f"127.0.0.1:{gone}", policy=NEVER_AGAIN)
    for _ in range(3):
        error_of(client, TailUnreachableError)
    spawn(port=gone)
    assert client.wait_until_ready("tiny.tail", 20)
    assert client.retry_in_s == 0


def test_while_one_asks_again_the_others_are_held_back(connect, silent):
    client = connect(silent, deadline_s=0.1, policy=LinkPolicy(1, 0.01, 0.01))
    error_of(client)
    wait_until_due(client)
    with ThreadPoolExecutor(8) as callers:
        reasons = list(callers.map(lambda _: error_of(client, deadline_s=1), range(8)))
    assert sum(reason == f"tail {silent} gave no answer within 1 s" for reason in reasons) == 1
    assert sum("it is being asked again now" in reason for reason in reasons) == 7


def test_a_probe_for_which_nobody_waits_lets_later_requests_pass(connect, liar, link_to):
    link, address = link_to(liar(checked))
    client = connect(address, deadline_s=0.3, policy=SOON)
    ask(client, deadline_s=20)
    link.black_hole = True
    for _ in range(3):
        error_of(client, TailUnreachableError)
    wait_until_due(client)
    assert "it is being asked again now" in error_of(client, waits_for_probe=False, deadline_s=300)
    assert client.retry_in_s > 0, "under way"
    link.black_hole = False
    wait_until_due(client)
    assert (ask(client, deadline_s=20) == SCORES).all()
    assert (client.counts.answered, client.counts.unreachable) == (2, 3)


def test_a_probe_for_which_nobody_waits_may_fail(connect, silent):
    unshortened = SimpleNamespace(uniform=lambda least, most: most)
    client = connect(silent, deadline_s=0.05, policy=LinkPolicy(1, 0.2, 100), rng=unshortened)
    error_of(client)
    wait_until_due(client)
    error_of(client, TailUnreachableError, waits_for_probe=False)
    ends = time.monotonic() + 20
    while client.retry_in_s <= 0.2:  # twice that, once the probe has failed
        assert time.monotonic() < ends
        time.sleep(0.002)
    assert client.counts == TailCounts(unreachable=1, held_back=1, opened=1)


def test_a_request_may_have_a_deadline_of_its_own(connect, silent):
    client = connect(silent, deadline_s=300)
    assert error_of(client, deadline_s=0.1) == f"tail {silent} gave no answer within 0.1 s"
    with pytest.raises(ConfigError, match="deadline_s=0; use a number of seconds above 0"):
        ask(client, deadline_s=0)


@pytest.mark.parametrize("hedge_after_s", [None, 0.01], ids=["plain", "hedged"])
def test_closing_ends_calls_under_way_and_refuses_new_ones(connect, liar, hedge_after_s):
    asked, release = threading.Event(), threading.Event()

    def reply(request):
        asked.set()
        assert release.wait(20)
        return checked(request)

    client = connect(liar(reply), deadline_s=60, policy=LinkPolicy(hedge_after_s=hedge_after_s))
    with ThreadPoolExecutor(1) as callers:
        reason = callers.submit(error_of, client, TailUnreachableError)
        assert asked.wait(20)
        client.close()
        assert "gave up the request: " in reason.result(20)
        release.set()
    assert "was closed on this side" in error_of(client, TailUnreachableError)
    assert not client.wait_until_ready("m", 1)
    client.close()


# A tail that answers something else


def test_a_living_tail_is_asked_whatever_it_answers(connect, liar, caplog):
    client = connect(liar(lambda request: 1 / 0), policy=NEVER_AGAIN)
    for _ in range(6):
        assert "refused, UNKNOWN" in error_of(client, TailRefusedError)
    assert client.retry_in_s == 0
    assert (client.counts.refused, client.counts.opened) == (6, 0)


@pytest.mark.parametrize(
    ("reply", "counted"),
    [
        (lambda request: b"\xff\xff", "disbelieved"),
        (lambda request: InferResponse("m", (Tensor("s", SCORES),), id="other"), "disbelieved"),
        (lambda request: InferResponse("m", (Tensor("s", SCORES[:, :2]),), id="7"), "disbelieved"),
        (lambda request: honest(request).to_bytes().replace(b"\0\0\xa0\x40", b"\0\0\xc0\x7f"), "disbelieved"),
        (lambda request: checked(request).to_bytes().replace(b"\0\0\xa0\x40", b"\1\0\xa0\x40"), "damaged"),
    ],
    ids=["garbage", "another's", "shape", "nan", "altered"],
)
def test_what_is_not_believed_is_counted_and_does_not_open_the_circuit(connect, liar, reply, counted):
    client = connect(liar(reply), policy=NEVER_AGAIN)
    for _ in range(4):
        error_of(client, WireError)
    assert client.counts == TailCounts(**{counted: 4})


def test_an_overloaded_tail_is_left_alone(connect, liar):
    client = connect(liar(lambda request: (grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")), policy=NEVER_AGAIN)
    for _ in range(3):
        assert error_of(client, TailBusyError).endswith(" refused, RESOURCE_EXHAUSTED: busy")
    assert "(last: refused, RESOURCE_EXHAUSTED: busy)" in error_of(client, TailUnreachableError)
    assert (client.counts.refused, client.counts.held_back) == (3, 1)


def test_an_answer_that_is_too_large_is_no_overload(connect, liar):
    client = connect(liar(lambda request: bytes(2_000_000)), policy=NEVER_AGAIN)
    for _ in range(4):
        assert "refused, RESOURCE_EXHAUSTED" in error_of(client, TailRefusedError)
    assert client.counts.opened == 0


def test_a_tail_of_another_kind_is_believed_after_ten_answers_without_a_check(connect, liar):
    gives = iter([True, *[False] * 9, True, *[False] * 12])
    client = connect(liar(lambda request: checked(request) if next(gives) else honest(request)))
    ask(client)
    for _ in range(9):
        assert "an answer without the check that tail" in error_of(client, WireError)
    ask(client)
    for _ in range(10):
        error_of(client, WireError)
    for _ in range(2):
        assert (ask(client) == SCORES).all()
    assert (client.counts.damaged, client.counts.answered) == (19, 4)


def test_failures_are_in_a_row_only_if_nothing_was_answered_between(connect, liar):
    says = iter([None, None, "x", None, None, honest, None, None])
    busy = (grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")
    garbage = {"x": b"\xff", None: busy}

    def reply(request):
        said = next(says)
        return said(request) if callable(said) else garbage[said]

    client = connect(liar(reply), policy=NEVER_AGAIN)
    for _ in range(8):
        with contextlib.suppress(TailBusyError, WireError):
            ask(client)
    assert client.counts == TailCounts(answered=1, refused=6, disbelieved=1)


# A connection that falls silent


def test_a_connection_that_was_forgotten_on_the_way_is_replaced(connect, liar, link_to):
    link, address = link_to(liar(checked))
    client = connect(address, deadline_s=0.3, policy=SOON)
    ask(client, deadline_s=20)
    link.forget()
    for _ in range(3):
        assert "gave no answer within 0.3 s" in error_of(client, TailUnreachableError)
    assert client.counts.replaced == 1
    assert (until_it_lives(client, deadline_s=20) == SCORES).all()
    assert link.n_connections == 2


def test_a_connection_that_answers_now_and_then_is_kept(connect, liar, link_to):
    link, address = link_to(liar(checked))
    client = connect(address, deadline_s=0.2, policy=LinkPolicy(2, 0.01, 0.01))
    for _ in range(3):
        link.black_hole = False
        until_it_lives(client, deadline_s=20)
        link.black_hole = True
        error_of(client, TailUnreachableError)
    assert client.counts.replaced == 0
    assert link.n_connections == 1


def test_a_call_on_a_line_that_is_closed_meanwhile_is_an_error_of_ours(connect, liar):
    client = connect(liar(checked))
    (line,) = client._lines

    def call_after_closing():
        with line.connection() as connection:
            client.close()
            connection.infer(b"", timeout=5)

    with pytest.raises(TailUnreachableError, match="was closed on this side"):
        call_after_closing()


def test_a_replaced_connection_is_closed_when_its_calls_are_done(connect, liar, link_to, monkeypatch):
    closed = []
    monkeypatch.setattr(
        "offramp.runtime.connection.Connection.close",
        lambda connection: (closed.append(connection), connection._channel.close()),
    )
    link, address = link_to(liar(checked))
    client = connect(address, deadline_s=0.2, policy=LinkPolicy(3, 0.01, 0.01))
    ask(client, deadline_s=20)
    line = client._lines[0]
    first = line.take()
    link.forget()
    for _ in range(3):
        wait_until_due(client)
        error_of(client)
    with line.connection() as second:
        assert second is not first
    assert closed == []
    line.give_back(first)
    assert closed == [first]


def test_a_connection_that_is_still_being_made_is_not_replaced(connect, spawn, link_to):
    # Connecting takes as long as a request: with a new connection for each request none would be answered.
    _, address = link_to(spawn().address, delay_s=0.4)
    client = connect(address, deadline_s=1.2, policy=LinkPolicy(1, 0.01, 0.01))
    assert isinstance(until_it_lives(client), TailRefusedError)  # it has no such model
    assert client.counts.unreachable >= 1
    assert client.counts.replaced == 0


# Hedging


def test_a_fast_answer_is_not_hedged(connect, liar):
    client = connect(liar(checked), policy=LinkPolicy(hedge_after_s=10))
    assert (ask(client, deadline_s=20) == SCORES).all()
    assert (client.counts.answered, client.counts.hedged) == (1, 0)


def test_a_request_that_takes_long_is_sent_over_the_second_connection(connect, liar):
    first, release = threading.Event(), threading.Event()

    def reply(request):
        if not first.is_set():
            first.set()
            assert release.wait(20)
        return checked(request)

    client = connect(liar(reply), policy=LinkPolicy(hedge_after_s=0.01))
    assert (ask(client, deadline_s=20) == SCORES).all()
    assert (client.counts.answered, client.counts.hedged) == (1, 1)
    ends = time.monotonic() + 10
    while client._lines[0]._newest.n_calls:  # the first one is cancelled, its answer nobody's concern
        assert time.monotonic() < ends
        time.sleep(0.005)
    release.set()


def test_an_answer_that_is_not_believed_loses_against_one_that_is(connect, liar):
    n_asked, second = iter(range(2)), threading.Event()

    def reply(request):
        if next(n_asked) == 0:
            assert second.wait(20)
            return b"\xff"
        second.set()
        time.sleep(0.2)  # usually the other one comes before
        return checked(request)

    client = connect(liar(reply), policy=LinkPolicy(hedge_after_s=0.01))
    assert (ask(client, deadline_s=20) == SCORES).all()
    assert client.counts.answered == 1
    assert client.counts.disbelieved <= 1


def test_one_deadline_holds_for_both(connect, silent):
    client = connect(silent, policy=LinkPolicy(hedge_after_s=0.05))
    began = time.monotonic()
    assert error_of(client, deadline_s=0.3) == f"tail {silent} gave no answer within 0.3 s"
    assert time.monotonic() - began < 5
    assert (client.counts.unreachable, client.counts.hedged) == (1, 1)


def first_connected(client):
    """The first of its connections has brought an answer, the second is not made yet."""
    line = client._lines[0]
    with line.connection() as connection, line.judged(connection, time.monotonic()):
        connection.infer(InferRequest("m", ()).to_bytes(), timeout=20)


def test_the_connection_that_brought_an_answer_is_asked_first(connect, liar, link_to):
    link, address = link_to(liar(checked))
    client = connect(address, policy=LinkPolicy(hedge_after_s=0.2), deadline_s=20)
    first_connected(client)
    link.forget()
    for _ in range(20):
        ask(client)
    assert 1 <= client.counts.hedged < 10, "the first one, and some on a crowded machine"


def test_a_connection_that_loses_every_race_is_replaced(connect, liar, link_to, monkeypatch):
    monkeypatch.setattr("offramp.runtime.connection.CONNECTING_S", 0.2)

    def slow(request):
        time.sleep(0.05)  # so that every request is sent twice
        return checked(request)

    link, address = link_to(liar(slow))
    client = connect(address, policy=LinkPolicy(hedge_after_s=0.02), deadline_s=20)
    first_connected(client)
    link.forget()
    n_asked = 0
    while client.counts.replaced == 0:
        assert (ask(client) == SCORES).all()
        n_asked += 1
        assert n_asked < 1000
    assert client.counts.unreachable == 0
