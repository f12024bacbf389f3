"""What offramp serve writes beside its announcement: log, traces, and its end."""

import json
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from offramp.wire import SERVICE, InferRequest, Tensor

Cli = Callable[..., Any]
STATUS = health_pb2.HealthCheckResponse


def infer(port: int, features: Any) -> str:
    """The status of a request."""
    request = InferRequest("digits.tail", (Tensor("features", features),), id="part-7")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            channel.unary_unary(f"/{SERVICE}/ModelInfer")(request.to_bytes(), timeout=20)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


def test_each_request_is_a_line_of_json(started: Cli, bundle: Path) -> None:
    options = ("--port", 0, "--json", "--log-format", "json", "--log-level", "debug")
    with started("serve", bundle, *options) as process:
        port = json.loads(process.stdout.readline())["port"]
        assert infer(port, np.zeros((3, 16), np.float32)) == "OK"
        assert infer(port, np.zeros((3, 5), np.float32)) == "INVALID_ARGUMENT"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    answered, refused = (line for line in lines if line["message"] == "request")
    assert datetime.fromisoformat(answered["time"]).utcoffset().total_seconds() == 0
    expected = {
        "level": "debug",
        "model": "digits.tail",
        "version": "1",
        "id": "part-7",
        "rows": 3,
        "status": "OK",
    }
    assert expected.items() <= answered.items()
    assert answered["request_bytes"] > 192
    assert answered["milliseconds"] > 0
    assert refused["status"] == "INVALID_ARGUMENT"


def test_lines_for_people_say_the_same_and_only_when_asked(started: Cli, bundle: Path) -> None:
    for level, n_lines in (("debug", 1), ("info", 0)):
        with started("serve", bundle, "--port", 0, "--json", "--log-level", level) as process:
            port = json.loads(process.stdout.readline())["port"]
            assert infer(port, np.zeros((3, 16), np.float32)) == "OK"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            said = process.stderr.read().splitlines()
        assert len(said) == n_lines
        assert all(line.startswith("request model=digits.tail version=1 id=part-7 rows=3 ") for line in said)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--log-format", "xml"), "--log-format xml; use one of text, json"),
        (("--log-level", "loud"), "--log-level loud; use one of debug, info, warning, error"),
    ],
)
def test_a_log_that_cannot_be_is_one_line(
    cli: Cli, bundle: Path, option: tuple[str, str], words: str
) -> None:
    assert cli("serve", bundle, *option).error == words


def test_before_it_takes_no_more_requests_health_checks_are_told(started: Cli, bundle: Path) -> None:
    with started("serve", bundle, "--port", 0, "--json", "--notice-s", 600) as process:
        port = json.loads(process.stdout.readline())["port"]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            watching = health.Watch(health_pb2.HealthCheckRequest(), timeout=60)
            assert next(watching).status == STATUS.SERVING
            process.send_signal(signal.SIGTERM)
            assert next(watching).status == STATUS.NOT_SERVING
            assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status == STATUS.NOT_SERVING
            assert infer(port, np.zeros((3, 16), np.float32)) == "OK"
        process.send_signal(signal.SIGTERM)  # a second one does not wait
        assert process.wait(20) == -signal.SIGTERM


def test_traces_that_nobody_takes_do_not_hold_the_server_up(
    started: Cli, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    with started("serve", bundle, "--port", 0, "--json", "--otel") as process:
        port = json.loads(process.stdout.readline())["port"]
        assert infer(port, np.zeros((3, 16), np.float32)) == "OK"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
