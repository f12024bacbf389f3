"""Edges that report to a real server, over a real wire."""

import dataclasses
import json
import logging
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter

import pytest

from offramp.errors import ConfigError, PeerError
from offramp.exits import NEVER, ExitRule
from offramp.runtime import ClientSecurity, Edge, Fleet, ServerSecurity
from offramp.runtime.refining import RefiningEdge


@pytest.fixture
def asking(bundle):
    """A bundle whose exit is never sure."""
    return dataclasses.replace(bundle, exit_rule=ExitRule(NEVER))


@pytest.fixture
def fleet():
    return Fleet()


def seen(fleet, edge, wanted, *, within_s=10):
    """The latest report of an edge, once it is as wanted."""
    until = time.monotonic() + within_s
    while True:
        for each in fleet.edges():
            if each.report.edge == edge and wanted(each.report):
                return each.report
        assert time.monotonic() < until, fleet.edges()
        time.sleep(0.01)


def test_an_edge_with_a_name_reports_at_once_now_and_then_and_at_the_end(bundle, host, fleet, workshop):
    with Edge(bundle, tail=host(bundle, fleet=fleet), name="line-4", report_every_s=0.05) as edge:
        assert seen(fleet, "line-4", lambda report: True).n_samples == 0
        answers = edge.infer_many(workshop.samples(300))
        report = seen(fleet, "line-4", lambda report: report.n_samples == 300)
        assert not report.stopped
        answers.append(edge.infer(workshop.samples(1)[0]))
    report = seen(fleet, "line-4", lambda report: report.stopped)
    kinds = Counter(answer.source for answer in answers)
    assert (report.n_samples, report.n_exited, report.n_tail) == (301, kinds["exit"], kinds["tail"])
    assert 0 < kinds["exit"] < 301
    assert report.payload_bytes == sum(answer.payload_bytes for answer in answers)
    assert report.raw_bytes == 301 * 12


def test_an_edge_without_a_name_sends_nothing(bundle, host, fleet, workshop):
    with Edge(bundle, tail=host(bundle, fleet=fleet), report_every_s=0.01) as edge:
        edge.infer_many(workshop.samples(30))
    assert fleet.edges() == []


def test_an_edge_in_mode_local_has_nobody_to_report_to(bundle):
    with pytest.raises(ConfigError) as caught:
        Edge(bundle, mode="local", name="line-4")
    assert str(caught.value) == "edge 'line-4' in mode 'local' has nobody to report to; leave out the name"


def test_a_server_without_a_fleet_is_told_of_once_and_answers_as_ever(bundle, host, workshop, caplog):
    with Edge(bundle, tail=host(bundle), name="line-4", report_every_s=0.01) as edge:
        edge.infer_many(workshop.samples(30))
        until = time.monotonic() + 10
        while not caplog.records and time.monotonic() < until:
            time.sleep(0.01)
    assert [record.getMessage() for record in caplog.records] == [
        "the tail takes no reports, so this edge sends none"
    ]


def test_a_silent_tail_holds_up_neither_answers_nor_reports_for_long(asking, silent, workshop, caplog):
    with Edge(asking, tail=silent, name="line-4", deadline_s=0.1, report_every_s=0.01) as edge:
        assert edge.infer(workshop.samples(1)[0]).source == "fallback"
        closing = time.monotonic()
    assert time.monotonic() - closing < 5  # a report's deadline is 2 s
    (told,) = [record for record in caplog.records if "reports do not reach" in record.getMessage()]
    assert told.levelno == logging.WARNING


def test_reports_go_behind_the_token_guard(bundle, host, fleet, tmp_path, caplog):
    tokens = {}
    for name, token in (("right", "0123456789abcdef"), ("wrong", "fedcba9876543210")):
        tokens[name] = tmp_path / name
        tokens[name].touch(0o600)
        tokens[name].write_text(token)
    tail = host(bundle, fleet=fleet, security=ServerSecurity(token_file=tokens["right"]))
    for name in ("wrong", "right"):
        with Edge(bundle, tail=tail, name=name, security=ClientSecurity(token_file=tokens[name])):
            pass
    assert [each.report.edge for each in fleet.edges()] == ["right"]
    assert ["missing or wrong token" in record.getMessage() for record in caplog.records] == [True]


def test_samples_that_nobody_answers_are_reported_as_failed(asking, host, fleet, workshop):
    def broken(features):
        raise RuntimeError("broken")

    alone = dataclasses.replace(asking, exit=None)
    tail = host(asking, tail=broken, fleet=fleet)
    with Edge(alone, tail=tail, mode="split", name="line-4") as edge, pytest.raises(PeerError):
        edge.infer_many(workshop.samples(5))
    report = seen(fleet, "line-4", lambda report: report.stopped)
    assert (report.n_samples, report.n_failed, report.n_offloaded, report.n_refused) == (5, 5, 5, 1)
    assert "INTERNAL" in report.last_error


def test_an_edge_that_answers_twice_reports_what_waits_and_what_came(asking, host, fleet, workshop):
    outcomes = []
    tail = host(asking, fleet=fleet)
    with RefiningEdge(
        asking, tail=tail, name="line-4", report_every_s=0.05, on_refined=outcomes.append
    ) as edge:
        edge.infer_many(workshop.samples(40))
        assert edge.settle(10)
    report = seen(fleet, "line-4", lambda report: report.stopped)
    assert (report.n_samples, report.n_offloaded, report.n_tail) == (40, 40, 0)
    assert (report.n_refined, report.n_waiting, report.n_given_up) == (40, 0, 0)
    assert report.n_retracted == sum(outcome.retracted for outcome in outcomes) > 0


def test_what_waits_for_a_tail_that_is_away_is_reported(asking, workshop, spawn, fleet, host):
    # The tail answers nobody, but takes reports: as one whose model fails does.
    def broken(features):
        raise RuntimeError("broken")

    tail = host(asking, tail=broken, fleet=fleet)
    with RefiningEdge(asking, tail=tail, name="line-4", report_every_s=0.05) as edge:
        edge.infer_many(workshop.samples(7))
        report = seen(fleet, "line-4", lambda report: report.n_waiting == 7 and report.last_error)
    assert report.n_refused > 0
    assert "INTERNAL" in report.last_error


def started(*arguments, **pipes):
    return subprocess.Popen([sys.executable, "-m", "offramp", *map(str, arguments)], text=True, **pipes)


def test_several_edges_and_a_server_as_processes(bundle_path, workshop):
    server = started(
        *("serve", bundle_path, "--port", 0, "--dashboard", "--metrics-port", 0, "--json"),
        stdout=subprocess.PIPE,
    )
    try:
        told = json.loads(server.stdout.readline())
        tail = f"127.0.0.1:{told['port']}"
        names = ("line-1", "line-2", "line-3")
        edges = [
            started(
                *("run", bundle_path, "--tail", tail, "--name", name, "--deadline-s", 10, "--batch", 10),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            for name in names
        ]
        lines = "".join(f"{json.dumps(sample.tolist())}\n" for sample in workshop.samples(90))
        said = {
            name: [json.loads(line) for line in edge.communicate(lines, timeout=60)[0].splitlines()]
            for name, edge in zip(names, edges, strict=True)
        }
        assert told["dashboard"] == told["metrics"].replace("metrics", "")
        with urllib.request.urlopen(told["dashboard"] + "state.json", timeout=10) as answer:
            state = json.load(answer)
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
        server.stdout.close()
    assert [edge["name"] for edge in state["edges"]] == list(names)
    for edge in state["edges"]:
        answers = said[edge["name"]]
        assert edge["n_samples"] == len(answers) == 90
        assert edge["exits"] == {"exit": sum(answer["source"] == "exit" for answer in answers)}
        assert edge["payload_bytes"] == sum(answer["payload_bytes"] for answer in answers)
        assert edge["status"] == "stopped"
    fleet, tails = state["fleet"], [a for answers in said.values() for a in answers if a["source"] == "tail"]
    assert fleet["n_samples"] == 270
    assert fleet["raw_bytes"] == 270 * 12
    assert fleet["offload_rate"] == pytest.approx(len(tails) / 270)
    rows = {model["name"]: model["n_rows"] for model in state["server"]["models"]}
    assert rows == {"tiny": 0, "tiny.tail": len(tails)}
