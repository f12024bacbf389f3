import asyncio
import tracemalloc

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.runtime.fleet import Fleet
from offramp.runtime.fleet.history import WINDOW_S
from offramp.runtime.fleet.registry import COLUMNS

SAMPLES = COLUMNS.index("n_samples")


def names(fleet):
    return [seen.report.edge for seen in fleet.edges()]


def test_the_latest_report_of_each_edge_is_known_by_name(report, clock):
    fleet = Fleet(clock=clock)
    for edge, n in [("b", 10), ("a", 20), ("b", 30)]:
        fleet.see(report(edge, n))
    assert [(seen.report.edge, seen.report.n_samples) for seen in fleet.edges()] == [("a", 20), ("b", 30)]


def test_what_came_between_two_reports_is_a_rate(report, clock):
    fleet = Fleet(clock=clock)
    fleet.see(report(n=1000, uptime_s=5000))
    (first,) = fleet.edges()
    assert first.lately_s == 0  # all that is known is how much came since the edge started, not when
    clock.now += 10
    fleet.see(report(n=1400, uptime_s=5010))
    clock.now += 5  # nothing new is known, and nothing has changed
    (seen,) = fleet.edges()
    assert (seen.lately_s, seen.lately[SAMPLES]) == (10, 400)
    assert seen.lines[0][-1] == pytest.approx(40)


def test_of_an_edge_that_has_just_started_all_came_lately(report, clock):
    fleet = Fleet(clock=clock)
    fleet.see(report(n=100, uptime_s=50))
    (seen,) = fleet.edges()
    assert (seen.lately_s, seen.lately[SAMPLES]) == (50, 100)


def test_an_edge_is_silent_after_a_minute_and_its_rates_end(report, clock):
    fleet = Fleet(clock=clock)
    fleet.see(report(n=600, uptime_s=60))
    clock.now += 60
    assert not fleet.edges()[0].is_silent
    clock.now += 1
    (seen,) = fleet.edges()
    assert seen.is_silent
    assert seen.silent_s == 61
    np.testing.assert_allclose(seen.lines[0][-12:], [10] * 6 + [0] * 6, atol=2)
    clock.now += 2 * WINDOW_S
    assert fleet.edges()[0].lately[SAMPLES] == 0
    fleet.see(report(n=601, uptime_s=800))
    assert not fleet.edges()[0].is_silent


def test_an_edge_that_said_goodbye_is_never_silent(report, clock):
    fleet = Fleet(clock=clock)
    fleet.see(report(stopped=True))
    clock.now += 3600
    assert not fleet.edges()[0].is_silent


@pytest.mark.parametrize(
    "after",
    [{"n": 500, "uptime_s": 3.0}, {"n": 10, "uptime_s": 6000.0}, {"n": 500, "uptime_s": 6000.0, "exits": {}}],
    ids=["smaller uptime", "fewer samples", "another count"],
)
def test_an_edge_that_began_anew_has_no_negative_rates(report, clock, after):
    fleet = Fleet(clock=clock)
    fleet.see(report(n=400, uptime_s=5000.0))
    clock.now += 10
    fleet.see(report(**after))
    (seen,) = fleet.edges()
    assert seen.n_restarts == 1
    assert (seen.lately >= 0).all()
    clock.now += 10
    fleet.see(report(n=600, uptime_s=after["uptime_s"] + 10))
    (seen,) = fleet.edges()
    assert seen.n_restarts == 1
    assert seen.report.n_samples == 600


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(1, 6))
def test_of_too_many_the_longest_silent_is_forgotten(report, order, max_edges):
    fleet = Fleet(max_edges=max_edges)
    for edge in order:
        fleet.see(report(edge))
    latest = list(dict.fromkeys(reversed(order)))[:max_edges]
    assert names(fleet) == sorted(latest)


def test_a_thousand_edges_with_minutes_of_history_take_bounded_memory(report, clock):
    tracemalloc.start()
    try:
        fleet = Fleet(clock=clock)
        for n in range(3):
            clock.now += 10
            for edge in range(1100):
                fleet.see(report(f"edge-{edge}", 1000 * (n + 1), uptime_s=10.0 * n))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(fleet.edges()) == 1000
    assert used < 40e6


@pytest.fixture
def calls(loop):
    """A server with the handler alone; sends bytes, gives the answer or the name of the status."""
    fleet = Fleet()

    async def start():
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((fleet.handler(),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:

        def send(data):
            try:
                return channel.unary_unary("/offramp.Fleet/Report")(data, timeout=10)
            except grpc.RpcError as error:
                return error.code().name, error.details()

        yield fleet, send
    asyncio.run_coroutine_threadsafe(server.stop(0), loop).result(10)


def test_a_report_on_the_wire_is_answered_with_nothing(report, calls):
    fleet, send = calls
    assert send(report("line-9").to_bytes()) == b""
    assert names(fleet) == ["line-9"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an edge's report: Input data was truncated"),
        (b'{"edge":"<b>"}', "not an edge's report: "),
        (b" " * 9000, "a report of 9000 bytes; at most 8192"),
    ],
    ids=["nothing", "a bad name", "too large"],
)
def test_what_is_no_report_is_refused_with_a_reason_and_leaves_nothing(calls, data, words):
    fleet, send = calls
    status, details = send(data)
    assert status == "INVALID_ARGUMENT"
    assert details.startswith(words)
    assert names(fleet) == []
