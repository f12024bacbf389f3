import importlib
import json
import re
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

command = importlib.import_module("offramp.cli.serve")
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


def test_metrics_are_at_the_announced_address_until_the_server_stops(started: Cli, bundle: Path) -> None:
    with started("serve", bundle, "--port", 0, "--metrics-port", 0, "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = json.loads(process.stdout.readline())["metrics"]
        assert url.startswith("http://127.0.0.1:")
        with urlopen(url, timeout=10) as page:
            assert b'nv_inference_request_success{model="digits.tail",version="1"} 0.0' in page.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""


def test_the_dashboard_is_announced_for_scripts_and_people(started: Cli, bundle: Path) -> None:
    options = ("--port", 0, "--dashboard", "--metrics-port", 0)
    with started("serve", bundle, *options, "--json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["dashboard"] == told["metrics"].removesuffix("metrics")
        with urlopen(told["dashboard"], timeout=10) as page:
            assert b"<title>offramp</title>" in page.read()
    with started("serve", bundle, *options) as process:
        assert process.stdout is not None
        line = process.stdout.readline().rstrip()
        assert re.search(r"; metrics at (http://127\.0\.0\.1:\d+/)metrics, dashboard at \1$", line), line


def test_a_dashboard_alone_is_at_its_usual_port(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    ports = list[int]()
    monkeypatch.setattr(command, "Metrics", lambda port, **_: ports.append(port))
    monkeypatch.setattr(
        command, "serve_bundles", lambda *_, **settings: ports.append(bool(settings["fleet"]))
    )
    assert cli("serve", bundle, "--dashboard").status == 0
    assert cli("serve", bundle).status == 0
    assert ports == [8002, True, False]


def test_a_dashboard_that_others_reach_is_refused_in_one_line(cli: Cli, bundle: Path) -> None:
    outcome = cli("serve", bundle, "--dashboard", "--metrics-host", "0.0.0.0")
    assert outcome.error.startswith("metrics on '0.0.0.0' can be reached from elsewhere and have no TLS;")


def test_metrics_that_others_reach_are_refused_in_one_line_with_tls_too(
    cli: Cli, bundle: Path, certificates: Any
) -> None:
    own = ("--tls-cert", certificates.cert("server"), "--tls-key", certificates.key("server"))
    for secured in ((), own):
        outcome = cli("serve", bundle, *secured, "--metrics-port", 0, "--metrics-host", "0.0.0.0")
        assert outcome.error.startswith(
            "metrics on '0.0.0.0' can be reached from elsewhere and have no TLS; listen on 127.0.0.1,"
        )


def test_a_server_with_the_tail_alone_serves_it(started: Cli, bundle: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "tail.safetensors"):
        shutil.copy(bundle / name, tmp_path)
    with started("serve", tmp_path, "--port", 0, "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["models"] == ["digits.tail"]


def test_bundles_of_one_name_are_versions_of_its_models(started: Cli, bundle: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "tail.safetensors"):
        shutil.copy(bundle / name, tmp_path)
    with started("serve", tmp_path, bundle, "--port", 0) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(
            "serving digits.tail (versions 1, 2) and digits on 127.0.0.1:"
        )


def test_another_bundle_in_the_place_of_one_is_served_and_told_in_one_line(
    started: Cli, bundle: Path, tmp_path: Path
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    for name in ("manifest.json", "tail.safetensors"):
        shutil.copy(bundle / name, served)
    with started("serve", served, "--port", 0, "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["versions"] == {"digits.tail": ["1"]}
        shutil.copytree(bundle, served, dirs_exist_ok=True)  # now with the head
        told = [process.stderr.readline() for _ in range(2)]
    assert told == [f"read again: {served}; {name} is version 2\n" for name in ("digits.tail", "digits")]


def test_a_port_in_use_is_one_line(offramp: Cli, bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        outcome = offramp("serve", bundle, "--port", taken.getsockname()[1])
    assert outcome.status == 1
    assert "Address already in use; choose another host or port" in outcome.error
    assert outcome.out == ""


def test_room_for_less_than_one_request_is_one_line(cli: Cli, bundle: Path) -> None:
    assert cli("serve", bundle, "--max-bytes-in-flight", 1000).error == (
        "--max-bytes-in-flight=1000 holds no request of max_message_bytes=4194304; use at least as many"
    )


def test_a_bundle_without_a_tail_is_one_line(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "head.safetensors"):
        shutil.copy(bundle / name, tmp_path)
    assert cli("serve", tmp_path).error.endswith(
        "no tail to serve; copy tail.safetensors into it, or give --tail"
    )


@pytest.mark.parametrize("option", [("--ray-actors", 2), ("--ray-address", "auto")])
def test_settings_of_ray_without_ray_are_one_line(cli: Cli, bundle: Path, option: tuple[str, object]) -> None:
    outcome = cli("serve", bundle, *option)
    assert outcome.error == "--ray-actors and --ray-address say how to use Ray; give --ray too"


def test_ray_that_is_not_installed_is_one_line(
    cli: Cli, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert cli("serve", bundle, "--ray").error == (
        "tails on Ray need ray, which is not installed; run: pip install 'offramp[ray]'"
    )


def test_a_ray_cluster_that_is_not_there_is_one_line(cli: Cli, bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    outcome = cli("serve", bundle, "--ray", "--ray-address", address)
    assert outcome.error.startswith(f"no Ray cluster at {address}: ")
    assert outcome.error.endswith("; give the address that `ray start --head` printed")


def test_an_address_that_others_reach_is_refused_without_tls_in_one_line(cli: Cli, bundle: Path) -> None:
    assert cli("serve", bundle, "--host", "0.0.0.0").error == (
        "'0.0.0.0' can be reached from elsewhere and there is no TLS; give --tls-cert and --tls-key,"
        " listen on 127.0.0.1, or say --insecure in a network that you trust"
    )


def test_insecure_listens_all_the_same_and_says_what_that_means(started: Cli, bundle: Path) -> None:
    with started("serve", bundle, "--host", "0.0.0.0", "--port", 0, "--insecure") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("serving digits.tail and digits on 0.0.0.0:")
        note = process.stderr.readline()
        assert note.startswith("--insecure: what 0.0.0.0:")
        assert note.endswith(" gets and answers can be read and altered on its way\n")


def test_a_key_of_another_certificate_is_one_line(cli: Cli, bundle: Path, certificates: Any) -> None:
    cert, key = certificates.cert("server"), certificates.key("device")
    outcome = cli("serve", bundle, "--tls-cert", cert, "--tls-key", key)
    assert outcome.error == f"{key}: not the key of the certificate {cert}; give both of one pair"


def test_devices_with_certificate_and_token_are_answered_and_others_are_not(
    started: Cli, cli: Cli, bundle: Path, certificates: Any, tmp_path: Path
) -> None:
    tokens, wrong = tmp_path / "tokens", tmp_path / "wrong"
    for path, token in ((tokens, "0123456789abcdef"), (wrong, "fedcba9876543210")):
        path.touch(0o600)
        path.write_text(token)
    own = ("--tls-cert", certificates.cert("server"), "--tls-key", certificates.key("server"))
    others = ("--client-ca", certificates.cert("ca"), "--token-file", tokens)
    with started("serve", bundle, "--port", 0, "--json", *own, *others) as process:
        assert process.stdout is not None
        announced = json.loads(process.stdout.readline())
        assert announced["security"] == "TLS with client certificates and tokens"
        address = f"{announced['host']}:{announced['port']}"
        run = ("run", bundle, "--tail", address, "--mode", "split", "--data", "digits", "--limit", 5)
        shown = ("--cert", certificates.cert("device"), "--key", certificates.key("device"))
        secured = (*run, "--ca", certificates.cert("ca"), *shown)

        right = cli(*secured, "--token-file", tokens)
        assert right.status == 0, right.err
        assert [json.loads(line)["source"] for line in right.out.splitlines()] == ["tail"] * 5

        refused = cli(*secured, "--token-file", wrong)
        assert refused.status == 1
        assert refused.err.splitlines()[-1] == (
            f"error: all 5 offloads were refused: tail {address} refused, UNAUTHENTICATED:"
            " missing or wrong token; give a token of its --token-file"
        )

        plain = cli(*run)
        assert [json.loads(line)["source"] for line in plain.out.splitlines()] == ["fallback"] * 5
        assert "Socket closed; perhaps it speaks TLS (--ca)" in plain.err
