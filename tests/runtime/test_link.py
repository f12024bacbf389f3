import contextlib
import math
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.runtime import ShapedLink
from offramp.runtime.link import Lane


@pytest.fixture
def echo():
    """A server that sends back what it gets, until the end of it; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def serve_one(connection):
        with connection:
            try:
                while chunk := connection.recv(65536):
                    connection.sendall(chunk)
            except OSError:  # the link was cut
                return

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve_one, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    acceptor.join()
    for thread in threads:
        thread.join()


def connect(link):
    made = socket.create_connection(("127.0.0.1", link.port))
    made.settimeout(10)
    return made


def receive(connection, n_bytes):
    data = b""
    while len(data) < n_bytes and (chunk := connection.recv(65536)):
        data += chunk
    return data


def round_trip(connection, data):
    """What came back, and after how many seconds."""
    started = time.monotonic()
    connection.sendall(data)
    back = receive(connection, len(data))
    return back, time.monotonic() - started


@given(sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=20), lateness=st.floats(0, 1))
def test_arrivals_keep_exactly_to_the_rate_however_late_the_relay_wakes_up(sizes, lateness):
    lane = Lane(bits_per_s=8000, delay_s=0.5)  # a byte each millisecond
    sent, arrival = 0, 0.0
    for size in sizes:
        now = 100 + sent / 1000 * lateness  # somewhat late, but never later than the line was free
        arrival = lane.arrival(size, now)
        sent += size
        assert arrival == pytest.approx(100 + sent / 1000 + 0.5)
    assert lane.n_bytes == sent
    later = arrival + 60  # by then the line is idle, so free at once
    assert lane.arrival(1, later) == pytest.approx(later + 0.501)


def test_bytes_arrive_unchanged_and_are_counted(echo):
    data = bytes(range(256)) * 2000
    with ShapedLink("127.0.0.1", echo) as link, connect(link) as connection:
        threading.Thread(target=connection.sendall, args=(data,)).start()
        assert receive(connection, len(data)) == data
        assert (link.bytes_up, link.bytes_down) == (len(data), len(data))


def test_the_end_of_one_direction_passes_through(echo):
    with ShapedLink("127.0.0.1", echo, delay_s=0.01) as link, connect(link) as connection:
        connection.sendall(b"last words")
        connection.shutdown(socket.SHUT_WR)
        assert receive(connection, 1000) == b"last words"
        assert connection.recv(1) == b""


def test_the_delay_counts_each_way(echo):
    with ShapedLink("127.0.0.1", echo, delay_s=0.1) as link, connect(link) as connection:
        back, took_s = round_trip(connection, b"x")
    assert back == b"x"
    assert 0.2 <= took_s < 2


def test_the_rate_counts_each_way(echo):
    # The way back begins when the first chunk has arrived, so both take a little over one way's time.
    data = bytes(25_000)
    with (
        ShapedLink("127.0.0.1", echo, bits_per_s=400_000, delay_s=0.05) as link,
        connect(link) as connection,
    ):
        back, took_s = round_trip(connection, data)
    assert back == data
    assert 0.5 + 0.1 <= took_s < 2.5


def test_a_long_transfer_keeps_to_the_rate(echo):
    data = bytes(1_000_000)
    with ShapedLink("127.0.0.1", echo, bits_per_s=16_000_000) as link, connect(link) as connection:
        sender = threading.Thread(target=connection.sendall, args=(data,))
        started = time.monotonic()
        sender.start()
        assert len(receive(connection, len(data))) == len(data)
        took_s = time.monotonic() - started
        sender.join()
    assert 0.5 <= took_s < 2.5


def test_connections_share_the_link(echo):
    data = bytes(12_500)
    with ShapedLink("127.0.0.1", echo, bits_per_s=400_000) as link:
        pair = [connect(link), connect(link)]
        started = time.monotonic()
        for connection in pair:
            connection.sendall(data)
        for connection in pair:
            assert receive(connection, len(data)) == data
        took_s = time.monotonic() - started
        for connection in pair:
            connection.close()
    assert 0.5 <= took_s < 2.5


def test_a_black_hole_holds_everything_until_it_ends(echo):
    with ShapedLink("127.0.0.1", echo) as link, connect(link) as connection:
        assert round_trip(connection, b"before")[0] == b"before"
        link.black_hole = True
        connection.sendall(b"during")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert link.black_hole
        link.black_hole = False
        connection.settimeout(10)
        assert receive(connection, 6) == b"during"


def test_a_target_that_is_not_there_ends_the_connection_quietly(caplog):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with (
        ShapedLink("127.0.0.1", port) as link,
        connect(link) as connection,
        contextlib.suppress(ConnectionResetError),
    ):
        assert connection.recv(1) == b""
    assert caplog.records == []


@pytest.mark.parametrize("pause_s", [0, 0.001, 0.2])
def test_closing_cuts_connections_and_ends_the_thread(echo, pause_s):
    link = ShapedLink("127.0.0.1", echo, delay_s=5)
    with connect(link) as connection:
        connection.sendall(b"never arrives")
        time.sleep(pause_s)  # so that closing meets the connection in each of its states
        link.close()
        link.close()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    assert "offramp-link" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):
        connect(link)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"bits_per_s": 0}, "bits_per_s=0; use a rate above 0"),
        ({"bits_per_s": math.nan}, "bits_per_s=nan"),
        ({"delay_s": -1}, "delay_s=-1; use 0 or more seconds"),
        ({"delay_s": math.inf}, "delay_s=inf"),
    ],
    ids=str,
)
def test_an_impossible_link_is_refused(settings, text):
    with pytest.raises(ConfigError, match=text):
        ShapedLink("127.0.0.1", 1, **settings)
