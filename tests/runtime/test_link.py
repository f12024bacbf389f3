import contextlib
import math
import select
import socket
import struct
import threading
import time
from dataclasses import replace

import pytest

from offramp.errors import ConfigError
from offramp.runtime import ShapedLink
from offramp.runtime.channel import HELD_BYTES


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


def reset(connection):
    """Closes it with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def ended(connection):
    """Whether the other side has closed it, one way or another."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


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
        ({"jitter_s": math.nan}, "jitter_s=nan; use 0 or more seconds"),
        ({"loss": 1.1}, "loss=1.1; use a share from 0 to 1"),
        ({"damage": -0.1}, "damage=-0.1; use a share from 0 to 1"),
        ({"cut_every_s": 0}, "cut_every_s=0; use 0.01 or more seconds"),
        ({"host": "0.0.0.0"}, "'0.0.0.0' can be reached from elsewhere, .*; listen on 127.0.0.1"),
    ],
    ids=str,
)
def test_an_impossible_link_is_refused(settings, text):
    with pytest.raises(ConfigError, match=text):
        ShapedLink("127.0.0.1", 1, **settings)


def test_an_address_in_use_is_refused(echo):
    with pytest.raises(
        ConfigError, match=f"cannot listen on 127.0.0.1:{echo}: Address already in use; choose"
    ):
        ShapedLink("127.0.0.1", 1, port=echo)


def test_neither_end_nor_reset_comes_through_a_black_hole():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        ShapedLink("127.0.0.1", listener.getsockname()[1]) as link,
        contextlib.ExitStack() as open_ones,
    ):
        near = [open_ones.enter_context(connect(link)) for _ in range(2)]
        far = [open_ones.enter_context(listener.accept()[0]) for _ in range(2)]
        link.black_hole = True
        near[0].close()
        reset(near[1])
        assert not select.select(far, [], [], 0.2)[0]
        link.black_hole = False
        for connection in far:
            connection.settimeout(10)
            assert ended(connection)


def test_a_target_that_is_not_there_says_nothing_through_a_black_hole():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with ShapedLink("127.0.0.1", port) as link:
        link.black_hole = True
        with connect(link) as connection:
            assert not select.select([connection], [], [], 0.2)[0]
            link.black_hole = False
            assert ended(connection)


def test_a_fast_sender_waits_for_a_link_that_passes_nothing(echo):
    data = bytes(range(256)) * 1000
    sent = 0
    with ShapedLink("127.0.0.1", echo) as link, connect(link) as connection:
        link.black_hole = True
        connection.setblocking(False)
        while select.select([], [connection], [], 0.3)[1]:
            with contextlib.suppress(BlockingIOError):
                sent += connection.send(data[sent % len(data) :])
            assert sent < 100_000_000  # what the kernel buffers is a tenth of that
        assert 0 < link.bytes_up <= HELD_BYTES + 65536
        connection.settimeout(10)
        link.black_hole = False
        back = receive(connection, sent)
        assert back == (data * (sent // len(data) + 1))[:sent]
        assert link.bytes_up == sent


def test_a_cut_resets_both_ends_and_later_connections_pass(echo):
    with ShapedLink("127.0.0.1", echo) as link:
        with connect(link) as first, connect(link) as second:
            for connection in (first, second):
                assert round_trip(connection, b"x")[0] == b"x"
            link.cut()
            for connection in (first, second):
                with pytest.raises(ConnectionResetError):
                    connection.recv(1)
        with connect(link) as third:
            assert round_trip(third, b"y")[0] == b"y"
        assert (link.n_cuts, link.n_connections) == (2, 3)
    link.cut()  # nothing is there any more


def test_what_is_forgotten_stays_silent_while_new_connections_pass(echo):
    with ShapedLink("127.0.0.1", echo) as link, connect(link) as old, connect(link) as cut_later:
        for connection in (old, cut_later):
            assert round_trip(connection, b"x")[0] == b"x"
        link.forget()
        old.sendall(b"lost")
        with connect(link) as new:
            assert round_trip(new, b"y")[0] == b"y"
        assert not select.select([old, cut_later], [], [], 0.2)[0], "neither bytes nor an end"
        link.cut()
        with pytest.raises(ConnectionResetError):
            cut_later.recv(1)


def test_the_target_sees_a_cut_as_a_reset():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        ShapedLink("127.0.0.1", listener.getsockname()[1]) as link,
        connect(link) as connection,
        listener.accept()[0] as far,
    ):
        far.settimeout(10)
        connection.sendall(b"x")
        assert far.recv(1) == b"x"
        link.cut()
        with pytest.raises(ConnectionResetError):
            far.recv(1)


def test_connections_are_cut_every_so_often(echo):
    with ShapedLink("127.0.0.1", echo, cut_every_s=0.05) as link:
        for _ in range(3):
            with connect(link) as connection, pytest.raises(ConnectionResetError):
                connection.recv(1)
        assert link.n_cuts == 3
        link.settings = replace(link.settings, cut_every_s=math.inf)
        with connect(link) as connection:
            assert round_trip(connection, b"x")[0] == b"x"
            assert not select.select([connection], [], [], 0.2)[0]
        assert link.n_cuts == 3


def test_settings_change_while_a_connection_is_open(echo):
    with ShapedLink("127.0.0.1", echo) as link, connect(link) as connection:
        assert round_trip(connection, b"x")[0] == b"x"
        link.settings = replace(link.settings, delay_s=0.1)
        back, took_s = round_trip(connection, b"y")
        assert back == b"y"
        assert took_s >= 0.2
        assert link.settings.delay_s == 0.1


def test_every_lost_segment_comes_late(echo):
    with ShapedLink("127.0.0.1", echo, loss=1) as link, connect(link) as connection:
        back, took_s = round_trip(connection, b"x")
        assert back == b"x"
        assert took_s >= 0.4
        assert link.n_late == 2


def test_damage_alters_the_replies_in_as_many_bytes_as_it_counts(echo):
    data = bytes(200_000)
    with (
        ShapedLink("127.0.0.1", echo, bits_per_s=80_000_000, damage=0.5) as link,
        connect(link) as connection,
    ):
        threading.Thread(target=connection.sendall, args=(data,)).start()
        back = receive(connection, len(data))
        assert len(back) == len(data)
        assert link.n_damaged == len(back) - back.count(0) > 0


def test_more_connections_than_the_link_carries_wait_for_their_turn(echo, monkeypatch):
    monkeypatch.setattr("offramp.runtime.link.MAX_CONNECTIONS", 1)
    with ShapedLink("127.0.0.1", echo) as link, connect(link) as first:
        assert round_trip(first, b"x")[0] == b"x"
        with connect(link) as second:
            second.sendall(b"y")
            assert not select.select([second], [], [], 0.2)[0]
            assert link.n_connections == 1
            first.close()
            assert receive(second, 1) == b"y"
