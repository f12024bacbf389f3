import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

Cli = Callable[..., Any]


@contextmanager
def joined(
    started: Cli, *options: object
) -> Iterator[tuple[Any, dict[str, Any], socket.socket, socket.socket]]:
    """The process of a link, what it announced, and both ends of a connection through it."""
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.settimeout(20)
        with started("link", f"localhost:{target.getsockname()[1]}", "--json", *options) as process:
            announced = json.loads(process.stdout.readline())
            with (
                socket.create_connection((announced["host"], announced["port"]), 20) as near,
                target.accept()[0] as far,
            ):
                far.settimeout(20)
                yield process, announced, near, far


def counts_of(process: Any) -> dict[str, int]:
    """What it tells at the end, after SIGTERM."""
    process.send_signal(signal.SIGTERM)
    told, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    return json.loads(told.splitlines()[-1])  # type: ignore[no-any-return]


def received(end: socket.socket, n_bytes: int) -> bytes:
    data = b""
    while len(data) < n_bytes:
        data += end.recv(n_bytes)
    return data


def test_bytes_pass_late_and_are_counted(started: Cli) -> None:
    with joined(started, "--delay-ms", 50, "--rate-bits-per-s", "1e6") as (process, _, near, far):
        sent_at = time.monotonic()
        near.sendall(b"question")
        assert received(far, 8) == b"question"
        assert time.monotonic() - sent_at >= 0.05
        far.sendall(b"answer")
        assert received(near, 6) == b"answer"
        assert counts_of(process) == {
            "connections": 1,
            "bytes_up": 8,
            "bytes_down": 6,
            "cuts": 0,
            "late_chunks": 0,
            "damaged_chunks": 0,
        }


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback on this machine")
def test_both_addresses_can_be_of_ipv6(started: Cli) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as target:
        port = target.getsockname()[1]
        with started("link", f"[::1]:{port}", "--host", "::1") as process:
            announced = re.fullmatch(
                rf"link from \[::1\]:(\d+) to \[::1\]:{port}\n", process.stdout.readline()
            )
            assert announced is not None
            with socket.create_connection(("::1", int(announced[1])), 20) as near, target.accept()[0] as far:
                near.sendall(b"x")
                far.settimeout(20)
                assert received(far, 1) == b"x"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_it_says_where_it_listens_and_in_the_end_what_passed(started: Cli, number: signal.Signals) -> None:
    with started("link", "localhost:1") as process:
        announced = process.stdout.readline()
        assert announced.startswith("link from 127.0.0.1:")
        assert announced.endswith(" to localhost:1\n")
        process.send_signal(number)
        told, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert told == "connections 0, bytes up 0, bytes down 0, cuts 0, late chunks 0, damaged chunks 0\n"
    assert errors == ""


def test_a_signal_begins_and_ends_the_black_hole(started: Cli) -> None:
    with joined(started) as (process, _, near, far):
        for on in (True, False):
            process.send_signal(signal.SIGUSR1)
            assert json.loads(process.stdout.readline()) == {"black_hole": on}
            if on:
                near.sendall(b"held back")
                far.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    far.recv(1)
                far.settimeout(20)
        assert received(far, 9) == b"held back"
        assert counts_of(process)["bytes_up"] == 9


def test_a_black_hole_comes_and_goes_by_the_clock(started: Cli) -> None:
    options = ("--blackhole-after-s", 0.1, "--blackhole-for-s", 0.3)
    with joined(started, *options) as (process, _, near, far):
        assert json.loads(process.stdout.readline()) == {"black_hole": True}
        near.sendall(b"x")
        assert received(far, 1) == b"x"  # not before it has ended
        assert json.loads(process.stdout.readline()) == {"black_hole": False}
        assert counts_of(process)["cuts"] == 0


def test_a_black_hole_from_the_start_is_told_to_people_on_standard_error(started: Cli) -> None:
    with started("link", "localhost:1", "--blackhole", "--blackhole-for-s", 0.1) as process:
        assert [process.stderr.readline() for _ in range(2)] == ["black hole on\n", "black hole off\n"]


def test_replies_are_damaged(started: Cli) -> None:
    with joined(started, "--damage", 1) as (process, _, near, far):
        near.sendall(b"question")
        assert received(far, 8) == b"question"
        far.sendall(b"answer")
        assert sum(a != b for a, b in zip(received(near, 6), b"answer", strict=True)) == 1
        assert counts_of(process)["damaged_chunks"] == 1


def test_connections_are_cut(started: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as target:
        port = target.getsockname()[1]
        with started("link", f"localhost:{port}", "--cut-every-s", 0.1, "--json") as process:
            near = socket.create_connection(("127.0.0.1", json.loads(process.stdout.readline())["port"]), 20)
            with near, pytest.raises(ConnectionResetError):
                near.recv(1)
            assert counts_of(process)["cuts"] == 1


def test_another_address_than_loopback_is_refused_with_the_reason(cli: Cli) -> None:
    outcome = cli("link", "localhost:1", "--host", "0.0.0.0")
    assert outcome.status == 1
    assert outcome.error == (
        "'0.0.0.0' can be reached from elsewhere, and a link lets everyone through to its target;"
        " listen on 127.0.0.1"
    )


@pytest.mark.parametrize("target", ["localhost", "localhost:", ":1", "::1:1", "localhost:65536", "a:b:1"])
def test_a_target_that_is_no_address_is_one_line(cli: Cli, target: str) -> None:
    assert cli("link", target).error == (
        f"{target!r} is no HOST:PORT; write it as in localhost:8001 or [::1]:8001"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--blackhole", "--blackhole-after-s", 1), "--blackhole is from the start; leave out that or"),
        (("--blackhole-for-s", 1), "--blackhole-for-s says how long, not when; give --blackhole or"),
        (("--delay-ms", "nan"), "--delay-ms"),
        (("--blackhole-after-s", "inf"), "--blackhole-after-s"),
        (("--rate-bits-per-s", "nan"), "--rate-bits-per-s"),
        (("--loss", 2), "--loss"),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_one_line(cli: Cli, options: tuple[object, ...], text: str) -> None:
    assert text in cli("link", "localhost:1", *options).error
