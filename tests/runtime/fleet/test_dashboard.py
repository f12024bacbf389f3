import json
import re
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from offramp.runtime import Fleet, Metrics
from offramp.runtime.fleet import Dashboard
from offramp.runtime.metering import BOUNDS_S, Meter, Tally
from offramp.wire import SERVICE, InferRequest, Tensor

MAX_PAGE_BYTES = 40_000


@pytest.fixture
def fleet(clock):
    return Fleet(clock=clock)


@pytest.fixture
def state(fleet, clock):
    """The state as the page gets it, some time later."""
    dashboard = Dashboard(fleet, Meter(), clock=clock)

    def get(*, after_s=1.0):
        clock.now += after_s
        return json.loads(dashboard.routes["/state.json"]("").content)

    return get


@pytest.fixture
def metrics(fleet):
    made = Metrics(fleet=fleet)
    made.start()
    yield made
    made.stop()


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read(), answer.headers


def statuses(state):
    return {edge["name"]: edge["status"] for edge in state["edges"]}


def test_nothing_is_known_before_the_first_report(state):
    told = state()
    fleet = told["fleet"]
    assert (told["edges"], fleet["n_edges"], fleet["exit_rate"], fleet["latency_s"]) == ([], 0, None, None)
    assert told["server"]["requests_per_s"] == 0


def test_an_edge_is_called_what_is_worst_about_it(state, fleet, clock, report):
    fleet.see(report("gone"))
    fleet.see(report("ended", stopped=True))
    fleet.see(report("slow", uptime_s=500))
    fleet.see(report("healed", n_fallbacks=3, uptime_s=500))
    clock.now += 55
    fleet.see(report("well", n=200, uptime_s=100))
    fleet.see(report("drifts", n_drift_alarms=2, uptime_s=100))
    fleet.see(report("alone", n=100, n_fallbacks=3, n_tail=2, n_drift_alarms=1, uptime_s=30))
    fleet.see(report("waits", n_waiting=5, n_tail=0, last_error="away", n_refined=3))
    fleet.see(report("refines", n_waiting=5, n_tail=0, last_error="away", uptime_s=30, n_refined=1))
    fleet.see(report("misses", n=100, n_fallbacks=2, n_tail=3, uptime_s=30))
    fleet.see(report("healed", n=300, n_fallbacks=3, uptime_s=555))
    fleet.see(report("slow", n=100, uptime_s=555))
    told = state(after_s=10)
    assert statuses(told) == {
        "gone": "silent",
        "ended": "stopped",
        "slow": "ok",
        "healed": "ok",
        "well": "ok",
        "drifts": "drift",
        "alone": "alone",
        "waits": "alone",
        "refines": "ok",
        "misses": "faults",
    }
    assert told["fleet"]["n_edges"] == 10
    by_status = {"silent": 1, "stopped": 1, "ok": 4, "drift": 1, "alone": 2, "faults": 1}
    assert told["fleet"]["n_by_status"] == by_status


def test_the_fleet_is_the_sum_of_its_edges(state, fleet, report):
    within_5_s = (*[0] * 46, 200, 0, 0, 0)
    fleet.see(report("a", n=100, uptime_s=50))
    fleet.see(report("b", n=300, uptime_s=100, n_drift_alarms=1, n_refused=4))
    fleet.see(
        report(
            "c",
            n=200,
            uptime_s=200,
            exits={"exit": 0},
            n_offloaded=200,
            n_fallbacks=7,
            payload_bytes=900,
            latency=within_5_s,
        )
    )
    told = state()["fleet"]
    assert told["n_samples"] == 600
    assert told["samples_per_s"] == pytest.approx(2 + 3 + 1)
    assert told["exit_rate"] == pytest.approx(380 / 600)
    assert told["offload_rate"] == pytest.approx(220 / 600)
    assert (told["payload_bytes"], told["raw_bytes"]) == (10 * 20 + 900, 64 * 600)
    assert (told["n_drift_alarms"], told["n_refused"], told["n_unanswered"]) == (1, 4, 7)
    assert told["latency_s"]["p50"] < 1.1e-4 < 1 < told["latency_s"]["p95"]
    assert told["samples_line"][-1] == pytest.approx(6)
    assert told["samples_line"][-9] == pytest.approx(4)  # before a was there
    assert told["exit_line"][-15] == pytest.approx(0)  # only c was
    assert told["saved_line"][-15] == pytest.approx(1 - 900 / (64 * 200), abs=1e-3)


def test_silent_edges_are_not_in_the_rates_but_in_the_sums(state, fleet, clock, report):
    fleet.see(report("gone", n=1000, uptime_s=100))
    clock.now += 61
    fleet.see(report("here", n=100, uptime_s=50, exits={"exit": 0}))
    told = state(after_s=0)["fleet"]
    assert told["exit_rate"] == 0
    assert told["samples_per_s"] == pytest.approx(2)
    assert told["n_samples"] == 1100


def test_a_state_is_made_at_most_twice_a_second(state, fleet, report):
    assert state()["edges"] == []
    fleet.see(report())
    assert state(after_s=0.4)["edges"] == []
    assert len(state(after_s=0.2)["edges"]) == 1


def test_requests_to_the_server_are_counted_with_rate_and_time(bundle, host, fleet):
    metrics = Metrics(fleet=fleet)
    address = host(bundle, metrics=metrics, fleet=fleet)
    good = InferRequest("tiny.tail", (Tensor("x", np.zeros((2, 8), np.float32)),)).to_bytes()
    with grpc.insecure_channel(address) as channel:
        infer = channel.unary_unary(f"/{SERVICE}/ModelInfer")
        for _ in range(5):
            infer(good, timeout=10)
        with pytest.raises(grpc.RpcError):
            infer(b"\xff", timeout=10)
        told = json.loads(fetch(metrics.dashboard_url + "state.json")[0])["server"]
    tail = next(model for model in told["models"] if model["name"] == "tiny.tail")
    assert (tail["n_answered"], tail["n_rows"], tail["n_failed"]) == (5, 10, 0)
    assert told["failures"] == {"INVALID_ARGUMENT": 1}
    assert told["requests_per_s"] > 0
    assert 0 < told["latency_s"]["p50"] <= told["latency_s"]["p99"] < 10


def test_a_model_that_goes_takes_its_counts_along_and_no_rate_is_negative(fleet, clock):
    counted = {"n_answered": 50, "within": [50] + [0] * len(BOUNDS_S)}
    tallies = {"old": Tally("old", "1", **counted), "new": Tally("new", "2")}
    get = Dashboard(fleet, tallies.items(), clock=clock).routes["/state.json"]
    clock.now += 10
    tallies["old"].n_answered += 20
    assert json.loads(get("").content)["server"]["requests_per_s"] == pytest.approx(2)
    clock.now += 10
    del tallies["old"]
    told = json.loads(get("").content)["server"]
    assert (told["requests_per_s"], told["latency_s"]) == (0, None)
    clock.now += 10
    tallies["new"].n_answered += 30
    told = json.loads(get("").content)["server"]
    assert told["requests_per_s"] == pytest.approx(3)
    assert [(model["name"], model["version"]) for model in told["models"]] == [("new", "2")]


def test_the_page_is_light_and_may_load_and_run_nothing_but_its_own(metrics):
    page, headers = fetch(metrics.dashboard_url)
    assert len(page) < MAX_PAGE_BYTES
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for name in ("script-src", "style-src"):
        assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", policy[name])
    assert policy["img-src"] == "data:"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    text = page.decode()
    assert not re.search(r"innerHTML|outerHTML|AdjacentHTML|document\.write|eval\(|style=|\son\w+=", text)
    assert re.findall(r"https?://[^\"' ]*", text) == ["http://www.w3.org/2000/svg"]  # a name, never fetched


def test_page_state_and_metrics_are_on_one_port_and_nothing_else_is(metrics):
    assert fetch(metrics.url)[0]
    _, headers = fetch(metrics.dashboard_url + "state.json?x=1")
    assert headers["Content-Type"] == "application/json"
    for path in ("state", "metrics/", "../state.json", "page.html", "%2e%2e/etc/passwd"):
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            fetch(metrics.dashboard_url + path)
        caught.value.close()


def test_without_a_fleet_there_is_no_page():
    metrics = Metrics()
    metrics.start()
    assert metrics.dashboard_url is None
    for path in ("/", "/state.json"):
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            fetch(metrics.url.removesuffix("/metrics") + path)
        caught.value.close()
    metrics.stop()


def test_many_look_while_edges_report(metrics, fleet, report):
    def look(_):
        return json.loads(fetch(metrics.dashboard_url + "state.json")[0])

    with ThreadPoolExecutor(8) as pool:
        looks = pool.map(look, range(40))
        for n in range(400):
            fleet.see(report(f"edge-{n % 20}", 1000 + n))
        assert all(len(told["edges"]) <= 20 for told in looks)
    assert len(look(0)["edges"]) <= 20
