import json
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_the_server_says_in_one_line_where_it_is_and_what_it_serves(started: Cli, bundle: Path) -> None:
    with started("serve", bundle, "--port", 0) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("serving digits.tail and digits on 127.0.0.1:")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_told_to_stop_it_exits_quietly(started: Cli, bundle: Path, number: signal.Signals) -> None:
    with started("serve", bundle, "--port", 0, "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["models"] == ["digits.tail", "digits"]
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


def test_a_server_with_the_tail_alone_serves_it(started: Cli, bundle: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "tail.safetensors"):
        shutil.copy(bundle / name, tmp_path)
    with started("serve", tmp_path, "--port", 0, "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["models"] == ["digits.tail"]


def test_a_port_in_use_is_one_line(offramp: Cli, bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = offramp("serve", bundle, "--port", taken.getsockname()[1])
    assert outcome.status == 1
    assert "Address already in use; choose another host or port" in outcome.error
    assert outcome.out == ""


def test_a_bundle_without_a_tail_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "head.safetensors"):
        shutil.copy(bundle / name, tmp_path)
    assert cli("serve", tmp_path).error.endswith("no tail to serve; copy tail.safetensors into it")
