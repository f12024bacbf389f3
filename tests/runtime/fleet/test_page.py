"""The dashboard in a real browser."""

import asyncio
import dataclasses
import importlib.util
import time
from pathlib import Path

import pytest

from offramp.runtime import Edge, Fleet, Metrics, TailServer, models_of

TOOL = Path(__file__).parents[3] / "tools" / "headless.py"
ROWS = "[...document.querySelectorAll('#edges tbody tr')]"
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\u202e&lt;b&gt;"
)


def load_tool():
    spec = importlib.util.spec_from_file_location("headless", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


headless = load_tool()
pytestmark = pytest.mark.skipif(headless.chromium() is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def browser():
    with headless.Browser() as made:
        yield made


@pytest.fixture
def page(browser):
    """Opens a page; checks at the end that nothing was asked elsewhere, and nothing went wrong in it."""
    origins = []

    def go(url):
        browser.events.clear()
        browser.open(url)
        origins.append(url)
        return browser

    yield go
    browser.evaluate("1")  # so that all events up to now are here
    asked = [
        e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert [url for url in asked if not url.startswith((origins[-1], "data:"))] == []
    wrong = [e for e in browser.events if e["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
    refused = "net::ERR_CONNECTION_REFUSED"  # what the browser notes of a server that is gone
    assert [e for e in wrong if refused not in e["params"].get("entry", {}).get("text", "")] == []
    browser.open("about:blank")


@pytest.fixture
def fleet():
    return Fleet()


@pytest.fixture
def shown(fleet):
    """The page of a fleet without a tail server; it may be ended and begun again."""
    made = []

    def start(port=0):
        made.append(Metrics(port, fleet=fleet))
        made[-1].start()
        return made[-1]

    yield start
    for metrics in made:
        metrics.stop()


def text(page, selector):
    return page.evaluate(f"document.querySelector({selector!r}).innerText")


def cells(page, row):
    return page.evaluate(f"{ROWS}[{row}] && [...{ROWS}[{row}].children].map(cell => cell.innerText.trim())")


def test_the_numbers_on_the_page_are_those_of_edges_that_really_ran(bundle, loop, fleet, workshop, page):
    metrics = Metrics(fleet=fleet)
    server = TailServer(models_of(bundle), metrics=metrics, fleet=fleet)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        answers = {}
        for name, n in (("line-1", 40), ("line-2", 200)):
            with Edge(bundle, tail=f"127.0.0.1:{server.port}", name=name) as edge:
                answers[name] = edge.infer_many(workshop.samples(n))
        page = page(metrics.dashboard_url)
        page.until("document.querySelector('#samples').innerText.startsWith('240 ')")
        every = [answer for given in answers.values() for answer in given]
        exits = sum(answer.source == "exit" for answer in every) / 240
        sent = sum(answer.payload_bytes for answer in every)
        assert text(page, "#exit-rate") == f"{100 * exits:.1f} %"
        assert text(page, "#offload-rate") == f"{100 * (1 - exits):.1f} % offloaded to the tail"
        saved = f"{100 * (1 - sent / (240 * 12)):.1f} %"
        assert text(page, "#saved") == saved.replace("-", "−")
        assert text(page, "#headline") == "All edges have stopped"
        for row, (name, given) in enumerate(answers.items()):
            shown = dict(zip(page.evaluate("LABELS"), cells(page, row), strict=True))
            share = sum(answer.source == "exit" for answer in given) / len(given)
            assert shown["Edge"].startswith(f"{name}\ntiny · ran ")
            assert shown["State"] == "stopped"
            assert shown["By an exit"] == f"{100 * share:.1f} %"
            assert shown["Unanswered"] == shown["Refused"] == shown["Drift alarms"] == "0"
            assert shown["p50"].endswith("s")
        (row,) = page.evaluate(
            "[...document.querySelectorAll('#models tbody tr')].map(row => row.innerText.split('\\t'))"
            ".filter(row => row[0] === 'tiny.tail')"
        )
        assert row[2:5] == ["2", str(sum(answer.source == "tail" for answer in every)), "0"]
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)


def test_what_is_wrong_comes_first_and_in_words(shown, fleet, report, page):
    fleet.see(report("a-well", uptime_s=50))
    fleet.see(report("b-ended", stopped=True))
    fleet.see(report("c-drifts", n_drift_alarms=2))
    fleet.see(report("d-fails", uptime_s=50, n_tail=0, n_fallbacks=5, last_error="tail is not there"))
    fleet.see(report("e-misses", uptime_s=50, n_tail=4, n_fallbacks=1))
    page = page(shown().dashboard_url)
    page.until(f"{ROWS}.length === 5")
    assert text(page, "#headline") == (
        "1 edge gets no answers from the tail, 1 edge sees drift, 1 edge misses some answers"
    )
    assert text(page, "#troubles").split("\n") == [
        "d-fails: the tail does not answer",
        "c-drifts: 2 drift alarms",
        "e-misses: not every offload was answered",
    ]
    assert [cells(page, row)[0].split("\n")[0] for row in range(5)] == [
        "d-fails",
        "c-drifts",
        "e-misses",
        "a-well",
        "b-ended",
    ]
    assert cells(page, 0)[1] == "no tail\ntail is not there"
    fleet.see(report("c-drifts", uptime_s=1.0))  # begun anew, with a new calibration
    fleet.see(report("d-fails", uptime_s=1.0))
    fleet.see(report("e-misses", uptime_s=1.0))
    page.until("document.querySelector('#headline').innerText === 'All 4 edges are well'")
    assert text(page, "#troubles") == ""
    assert "restarted once" in cells(page, 1)[0]
    assert page.evaluate("document.title") == "offramp"


def test_an_edge_that_falls_silent_is_told_of(shown, page, report, clock):
    fleet = Fleet(clock=clock)
    metrics = Metrics(fleet=fleet)
    metrics.start()
    try:
        fleet.see(report("line-7"))
        fleet.see(report("line-8"))
        page = page(metrics.dashboard_url)
        page.until("document.querySelector('#headline').innerText === 'All 2 edges are well'")
        clock.now += 200
        fleet.see(report("line-8", 200, uptime_s=1200.0))
        page.until("document.querySelector('#headline').innerText === '1 of 2 edges is silent'")
        assert text(page, "#troubles") == "line-7: silent for 3 min"
        assert cells(page, 0)[1] == "silent for 3 min"
        assert page.evaluate("document.title") == "1 of 2 edges is silent – offramp"
    finally:
        metrics.stop()


def test_hostile_words_stay_words(shown, fleet, report, page):
    # Names cannot be hostile, as a report with such is refused; here one is put past that.
    fleet.see(report("line-1", last_error=HOSTILE, n_fallbacks=1, uptime_s=50))
    fleet.see(
        dataclasses.replace(report("line-2"), edge=HOSTILE, model=HOSTILE, version=HOSTILE, mode=HOSTILE)
    )
    page = page(shown().dashboard_url)
    page.until(f"{ROWS}.length === 2")
    time.sleep(0.2)  # an image that is not there would have told by now
    assert page.evaluate("document.querySelectorAll('main img, main script, main b b').length") == 0
    assert page.evaluate("document.title") != "owned"
    assert page.evaluate(f"{ROWS}[0].querySelector('.state small').textContent") == HOSTILE
    assert page.evaluate(f"{ROWS}[1].querySelector('th b').textContent") == HOSTILE


def test_the_page_says_since_when_the_server_is_gone_and_goes_on_when_it_is_back(shown, fleet, report, page):
    metrics = shown()
    url = metrics.dashboard_url
    fleet.see(report("line-1"))
    page = page(url)
    page.until(f"{ROWS}.length === 1")
    assert page.evaluate("document.querySelector('#gone').hidden")
    metrics.stop()
    page.until("!document.querySelector('#gone').hidden")
    said = text(page, "#gone")
    assert said.startswith("No answer from the server since ")
    assert said.endswith("What is shown is from then.")
    assert len(page.evaluate(f"{ROWS}.map(row => row.innerText)")) == 1
    fleet.see(report("line-2"))
    shown(int(url.split(":")[2].strip("/")))
    page.until(f"document.querySelector('#gone').hidden && {ROWS}.length === 2")


def test_a_reader_that_cannot_see_it_is_told_the_same(shown, fleet, report, page):
    fleet.see(report("line-1", uptime_s=200))
    page = page(shown().dashboard_url)
    page.until(f"{ROWS}.length === 1")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    told = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]
    assert ("columnheader", "By an exit") in told
    assert any(role == "rowheader" and name.startswith("line-1") for role, name in told)
    assert ("image", "samples a second: from 0.5 to 0.5") in told
    assert any(role == "status" for role, _ in told)


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1280, 1920])
def test_it_fits_from_a_phone_to_a_wide_screen(shown, fleet, report, page, width):
    for n in range(3):
        fleet.see(
            report(f"a-rather-long-name-of-a-line-{n}", 10**9, uptime_s=250.0, last_error="no word " * 20)
        )
    page = page(shown().dashboard_url)
    page.resize(width, 800, mobile=width < 500)
    page.until(f"{ROWS}.length === 3")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width < 768:  # then nothing is to be scrolled sideways
        assert page.evaluate("document.querySelector('.table').scrollWidth") <= width
    page.resize(1280, 900)
