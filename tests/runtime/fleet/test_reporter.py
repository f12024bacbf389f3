import logging
import queue

import pytest

from offramp.errors import ConfigError, TailUnreachableError
from offramp.runtime.fleet import Reporter, reporter
from offramp.wire import EdgeReport


class Server:
    """Takes what is sent, and does with each what it is told to: take it, want none, or be away."""

    def __init__(self):
        self.does = "takes"
        self.got = queue.Queue()

    def __call__(self, data):
        self.got.put(EdgeReport.from_bytes(data))
        if self.does == "is away":
            raise TailUnreachableError("tail is not there")
        return self.does == "takes"

    def next(self):
        return self.got.get(timeout=10)


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def reporting(report, server):
    made = []

    def start(**settings):
        made.append(Reporter(lambda last: report(stopped=last), server, **settings))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_the_first_report_goes_at_once_and_the_last_at_the_end(server, reporting):
    one = reporting(every_s=3600)
    assert not server.next().stopped
    one.close()
    assert server.next().stopped
    one.close()
    assert server.got.empty()


def test_reports_go_on_though_some_are_lost_and_the_log_says_so_once(server, reporting, caplog):
    server.does = "is away"
    one = reporting(every_s=0.01)
    for _ in range(4):
        server.next()
    server.does = "takes"
    for _ in range(3):
        server.next()
    one.close()
    assert one.n_lost >= 3
    assert [record.getMessage() for record in caplog.records] == [
        "reports do not reach the tail, which answers do not wait for: tail is not there"
    ]


def test_a_server_that_is_away_is_not_told_goodbye(server, reporting):
    server.does = "is away"
    one = reporting(every_s=3600)
    server.next()
    one.close()
    assert server.got.empty()


def test_a_server_that_wants_none_is_left_alone_and_asked_again_much_later(
    server, reporting, caplog, monkeypatch
):
    server.does = "wants none"
    one = reporting(every_s=0.001)
    server.next()
    with pytest.raises(queue.Empty):
        server.got.get(timeout=0.2)
    one.close()
    assert server.got.empty()
    assert [record.getMessage() for record in caplog.records] == [
        "the tail takes no reports, so this edge sends none"
    ]
    assert caplog.records[0].levelno == logging.WARNING

    monkeypatch.setattr(reporter, "_ASK_AGAIN_S", 0.01)
    reporting(every_s=3600)
    server.next()
    server.does = "takes"
    server.next()


@pytest.mark.parametrize("every_s", [0, -1, float("nan"), float("inf"), 3601])
def test_an_interval_out_of_range_is_one_clear_error(every_s):
    with pytest.raises(ConfigError) as caught:
        Reporter(lambda last: None, lambda data: True, every_s=every_s)
    assert str(caught.value) == (f"report_every_s={every_s}; use a number of seconds above 0, at most 3600")
