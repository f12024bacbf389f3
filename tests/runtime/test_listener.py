import socket
import struct
import threading
import time
import urllib.error
import urllib.request

import pytest

from offramp.runtime.listener import Listener, Page


@pytest.fixture
def listening():
    made = []

    def start(route, **settings):
        made.append(Listener({"/page": route}, port=0, host="127.0.0.1", insecure=False, **settings))
        made[-1].start()
        return made[-1].url

    yield start
    for listener in made:
        listener.stop()


def test_a_route_is_told_what_the_reader_accepts_and_makes_the_whole_answer(listening):
    url = listening(lambda accept: Page(accept.encode(), "text/plain", {"X-Own": "yes"}))
    asked = urllib.request.Request(f"{url}/page?x=1", headers={"Accept": "words"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.read() == b"words"
        assert (answer.headers["Content-Type"], answer.headers["X-Own"]) == ("text/plain", "yes")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_get_is_answered(listening, method):
    url = listening(lambda _: pytest.fail("a page for nobody"))
    with pytest.raises(urllib.error.HTTPError, match="501") as caught:
        urllib.request.urlopen(urllib.request.Request(f"{url}/page", b"", method=method), timeout=10)
    caught.value.close()


def hung_up(url, entered):
    """Asks for a page and goes away before it comes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # away at once
        asking.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        assert entered.wait(10)


def test_a_reader_that_goes_away_is_not_worth_a_traceback_but_a_bug_is(listening, capfd):
    entered, gone = threading.Event(), threading.Event()

    def slow(_):
        entered.set()
        assert gone.wait(10)
        return Page(b"x" * 10_000_000, "text/plain")

    def broken(_):
        entered.set()
        raise KeyError("a bug")

    hung_up(listening(slow), entered)
    gone.set()
    entered.clear()
    hung_up(listening(broken), entered)
    said, until = "", time.monotonic() + 10
    while "KeyError" not in said and time.monotonic() < until:
        time.sleep(0.01)
        said += capfd.readouterr().err
    assert said.count("Traceback") == 1
    assert "KeyError: 'a bug'" in said


def test_time_ticks_while_it_listens(listening):
    ticked = threading.Event()
    listening(lambda _: Page(b"", ""), on_tick=ticked.set)
    assert ticked.wait(10)
