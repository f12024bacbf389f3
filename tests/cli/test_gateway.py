"""The gateway as a process of its own, between a real tail and a serial line that is a socket of the test."""

import json
import os
import signal
import socket
import sys
import tty
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pytest

from offramp.bundle import read, read_terms, write
from offramp.codec import arrived
from offramp.data import load
from offramp.runtime import edge_scores, server_scores
from offramp.wire.serial import (
    NOBODY,
    Frame,
    Hello,
    Offload,
    RawSample,
    Refusal,
    Refused,
    SerialReceiver,
    TailAnswer,
    Verdict,
    Welcome,
    frame_bytes,
    max_body_bytes,
)

Cli = Callable[..., Any]
N = 12


class Questions:
    """Samples as a device codes them, and what the tail says to these."""

    def __init__(self, path: Path) -> None:
        bundle = read(path)
        self.samples = load("digits").split("test")[0][:N]
        _, sent = edge_scores(bundle, self.samples)
        self.rows = bundle.codec.encode_rows(sent)
        self.labels = server_scores(bundle, arrived(bundle.codec, sent))[1].argmax(axis=1).tolist()
        digest = bundle.codec.digest or NOBODY
        self.hello = Hello(bundle.features_digest[:16], bundle.codec.name, digest, "line-4")


@pytest.fixture(scope="module")
def questions(bundle: Path) -> Questions:
    return Questions(bundle)


@pytest.fixture(scope="module")
def manifest(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without the files of its parts."""
    folder = tmp_path_factory.mktemp("manifest") / "digits.bundle"
    folder.mkdir()
    copy(bundle / "manifest.json", folder)
    return folder


class Wire:
    """The device's end of a line."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._receiver = SerialReceiver(max_body_bytes(0))
        self._heard: list[Any] = []

    def says(self, *frames: Frame | bytes) -> None:
        for frame in frames:
            self.connection.sendall(frame if isinstance(frame, bytes) else frame_bytes(frame))

    def hears(self) -> Any:
        while not self._heard:
            chunk = self.connection.recv(4096)
            assert chunk, "the gateway has closed the line"
            self._receiver.receive(chunk)
            self._heard += self._receiver.events()
        return self._heard.pop(0)

    def welcomed(self, hello: Hello) -> "Wire":
        assert self.hears() == Refusal(0, Refused.SAY_HELLO)
        self.says(hello)
        assert self.hears() == Welcome()
        return self


class Port:
    """A serial port that a gateway can open, at `url`; a socket."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.url = f"socket://127.0.0.1:{listener.getsockname()[1]}"

    @contextmanager
    def opened(self) -> Iterator[Wire]:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(30)
            yield Wire(connection)

    @contextmanager
    def used_by(self, device: Callable[[Wire], None]) -> Iterator[None]:
        """Has a device in a thread, for a gateway in this one."""

        def live() -> None:
            with self.opened() as wire:
                device(wire)

        with ThreadPoolExecutor() as threads:
            lived = threads.submit(live)
            yield
            lived.result(30)


@pytest.fixture
def port() -> Iterator[Port]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield Port(listener)


def test_a_device_gets_the_answers_of_the_tail_and_all_are_printed(
    started: Cli, manifest: Path, tail: str, port: Port, questions: Questions
) -> None:
    command = ("gateway", manifest, "--serial", port.url, "--tail", tail, "--limit", N + 2)
    with started(*command) as process, port.opened() as wire:
        wire.welcomed(questions.hello)
        for number, (row, label) in enumerate(zip(questions.rows, questions.labels, strict=True), 1):
            wire.says(b"noise\xff", Offload(number, row))
            answer = wire.hears()
            assert (answer.sequence, answer.label) == (number, label)
            line = json.loads(process.stdout.readline())
            assert line["confidence"] == pytest.approx(answer.confidence / 255, abs=1 / 255)
            assert {name: line[name] for name in ("id", "label", "class", "source", "payload_bytes")} == {
                "id": number,
                "label": label,
                "class": str(label),
                "source": "tail",
                "payload_bytes": len(row),
            }
        wire.says(RawSample(100, questions.samples[0].tobytes()))
        assert isinstance(wire.hears(), TailAnswer)
        wire.says(Verdict(101, 7, "exit"))
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    raw, own = map(json.loads, out.splitlines())
    assert (raw["id"], raw["source"], raw["payload_bytes"]) == (100, "tail", 64)
    assert own == {"id": 101, "label": 7, "class": "7", "source": "exit"}
    told = err.splitlines()
    assert told[:2] == [f"serial port {port.url} is open", "device line-4 is welcome"]
    assert told[2].startswith(f"{N + 2} answered, exit 7.1%, tail 92.9%, bytes on the line ")
    assert told[2].endswith(f", damaged {N}")


def test_a_tail_that_is_killed_is_said_to_the_device_and_found_again(
    started: Cli, bundle: Path, port: Port, questions: Questions
) -> None:
    with started("serve", bundle, "--json") as server:
        number = json.loads(server.stdout.readline())["port"]
        address = f"127.0.0.1:{number}"
        with (
            started("gateway", bundle, "--serial", port.url, "--tail", address) as process,
            port.opened() as wire,
        ):
            wire.welcomed(questions.hello)
            wire.says(Offload(1, questions.rows[0]))
            assert isinstance(wire.hears(), TailAnswer)
            server.kill()
            server.wait()
            wire.says(Offload(2, questions.rows[1]))
            assert wire.hears() == Refusal(2, Refused.NO_ANSWER)
            wire.says(Verdict(2, 5, "fallback"))
            with started("serve", bundle, "--port", number) as again:
                again.stdout.readline()
                for sequence in range(3, 1000):  # the tail is left alone for a while first
                    wire.says(Offload(sequence, questions.rows[2]))
                    if isinstance(wire.hears(), TailAnswer):
                        break
                else:
                    pytest.fail("the tail was not found again")
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    first, fallback, found = map(json.loads, out.splitlines())
    assert (first["id"], found["id"]) == (1, sequence)
    assert fallback.pop("reason").startswith(f"tail {address} is not there: ")
    assert fallback == {"id": 2, "label": 5, "class": "5", "source": "fallback"}
    assert f", no answer {sequence - 2}, " in err.splitlines()[-1]


def test_a_silent_tail_keeps_no_device_waiting(
    started: Cli, manifest: Path, port: Port, questions: Questions
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        command = ("gateway", manifest, "--serial", port.url, "--tail", address, "--deadline-s", 0.2)
        with started(*command) as process, port.opened() as wire:
            wire.welcomed(questions.hello)
            wire.says(Offload(99, questions.rows[0]), questions.hello)  # it has started anew meanwhile
            assert wire.hears() == Welcome()
            for sequence in range(1, 8):
                wire.says(Offload(sequence, questions.rows[0]))
            assert [wire.hears() for _ in range(7)] == [
                Refusal(sequence, Refused.NO_ANSWER) for sequence in range(1, 8)
            ]
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "no sample answered" in err
    assert ", no answer 8, late 1, " in err


def test_a_port_that_vanishes_in_a_frame_is_waited_for(
    started: Cli, manifest: Path, tail: str, port: Port, questions: Questions
) -> None:
    with started("gateway", manifest, "--serial", port.url, "--tail", tail, "--limit", 1) as process:
        with port.opened() as wire:
            wire.welcomed(questions.hello)
            wire.says(frame_bytes(Offload(1, questions.rows[0]))[:-4])
        with port.opened() as wire:
            assert wire.hears() == Refusal(0, Refused.SAY_HELLO)
            wire.says(b"oot: ready\r\n", questions.hello, Offload(2, questions.rows[1]))
            assert wire.hears() == Welcome()
            assert wire.hears().sequence == 2
            out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["id"] == 2
    told = err.splitlines()
    assert told[:4] == [
        f"serial port {port.url} is open",
        "device line-4 is welcome",
        f"serial port {port.url} is gone: read failed: socket disconnected",
        f"serial port {port.url} is open",
    ]


def test_a_port_that_is_not_there_is_told_of_once_and_waited_for(
    started: Cli, manifest: Path, tail: str, questions: Questions
) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"socket://127.0.0.1:{reserved.getsockname()[1]}"
        with started("gateway", manifest, "--serial", url, "--tail", tail, "--limit", 1) as process:
            told = [process.stderr.readline()]
            reserved.listen()
            reserved.settimeout(30)
            with Port(reserved).opened() as wire:
                wire.welcomed(questions.hello).says(Verdict(1, 0, "local"))
                _, rest = process.communicate(timeout=30)
    told += rest.splitlines()
    assert told[0].startswith(f"serial port {url}: ")
    assert told[0].endswith("; trying again until it is there\n")
    assert told[1] == f"serial port {url} is open"
    assert process.returncode == 0


def test_once_ends_with_the_port_and_fails_without_one(
    cli: Cli, manifest: Path, tail: str, port: Port, questions: Questions
) -> None:
    def device(wire: Wire) -> None:
        wire.welcomed(questions.hello).says(Offload(1, questions.rows[0]))
        wire.hears()
        wire.says(Verdict(2, 3, "exit"))  # and is gone

    with port.used_by(device):
        outcome = cli("gateway", manifest, "--serial", port.url, "--tail", tail, "--once")
    assert outcome.status == 0
    assert [json.loads(line)["id"] for line in outcome.out.splitlines()] == [1, 2]
    gone = "/dev/offramp-is-not-there"
    outcome = cli("gateway", manifest, "--serial", gone, "--tail", tail, "--once")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1] == (
        f"error: serial port {gone}: No such file or directory; plug it in"
    )


def test_a_device_of_another_head_fails_the_command_with_both_digests(
    cli: Cli, manifest: Path, tail: str, port: Port, questions: Questions
) -> None:
    stranger = Hello("0123456789abcdef", "int8", "fedcba9876543210")

    def device(wire: Wire) -> None:
        assert wire.hears() == Refusal(0, Refused.SAY_HELLO)
        wire.says(stranger, Offload(1, questions.rows[0]))
        assert wire.hears() == Refusal(0, Refused.OTHER_HEAD)
        assert wire.hears() == Refusal(1, Refused.OTHER_HEAD)

    with port.used_by(device):
        outcome = cli("gateway", manifest, "--serial", port.url, "--tail", tail, "--once")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith(
        "error: the device has head 0123456789abcdef and codec int8 with parameters fedcba9876543210, bundle"
        f" digits has head {questions.hello.head} and codec {questions.hello.codec}"
    )


def test_a_tail_that_refuses_all_fails_the_command(
    cli: Cli, bundle: Path, tail: str, tmp_path: Path, port: Port, questions: Questions
) -> None:
    write(replace(read(bundle), name="letters"), tmp_path / "letters.bundle")

    def device(wire: Wire) -> None:
        wire.welcomed(questions.hello).says(Offload(1, questions.rows[0]))
        assert wire.hears() == Refusal(1, Refused.TAIL_REFUSED)

    with port.used_by(device):
        outcome = cli("gateway", tmp_path / "letters.bundle", "--serial", port.url, "--tail", tail, "--once")
    assert outcome.status == 1
    assert outcome.err.splitlines()[-1].startswith(
        f"error: all 1 questions were refused: tail {tail} refused, "
    )


def test_a_terminal_of_the_system_is_a_port(
    cli: Cli, manifest: Path, tail: str, questions: Questions
) -> None:
    ours, theirs = os.openpty()
    heard: list[Any] = []

    def device() -> None:
        receiver = SerialReceiver(max_body_bytes(0))
        while not heard or not isinstance(heard[-1], TailAnswer):
            receiver.receive(os.read(ours, 100))
            for frame in receiver.events():
                heard.append(frame)
                if frame == Refusal(0, Refused.SAY_HELLO):
                    os.write(ours, frame_bytes(questions.hello) + frame_bytes(Offload(1, questions.rows[0])))

    tty.setraw(theirs)
    with ThreadPoolExecutor() as threads:
        lived = threads.submit(device)
        command = ("--serial", os.ttyname(theirs), "--tail", tail, "--limit", 1)
        outcome = cli("gateway", manifest, *command)
        lived.result(30)
    os.close(ours)
    os.close(theirs)
    assert outcome.status == 0
    assert json.loads(outcome.out)["label"] == heard[-1].label == questions.labels[0]


@pytest.mark.parametrize("url", ["socket://localhost", "gopher://x"])
def test_no_serial_port_is_called_like_that(cli: Cli, manifest: Path, url: str) -> None:
    outcome = cli("gateway", manifest, "--serial", url, "--tail", "localhost:1")
    assert outcome.error.startswith(f"serial port '{url}': ")
    assert outcome.error.endswith("; give a device as in /dev/ttyUSB0, or socket://host:port")


def test_without_pyserial_the_error_says_what_to_install(
    cli: Cli, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    outcome = cli("gateway", manifest, "--serial", "/dev/ttyUSB0", "--tail", "localhost:1")
    assert outcome.error == (
        "a serial port needs pyserial, which is not installed; run: pip install 'offramp[gateway]'"
    )


def test_the_terms_of_a_manifest_are_those_of_the_bundle(bundle: Path, manifest: Path) -> None:
    whole, terms = read(bundle), read_terms(manifest)
    for name in ("name", "preprocessing", "classes", "codec", "features_digest", "n_sent"):
        assert np.array_equal(getattr(terms, name), getattr(whole, name)), name
