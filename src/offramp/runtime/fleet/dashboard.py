"""The live page of a server and its fleet: one HTML file, and the state that it asks for."""

from __future__ import annotations

import base64
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from importlib import resources
from threading import RLock

import msgspec

from offramp import __version__
from offramp.runtime.fleet.history import History
from offramp.runtime.fleet.quantile import percentiles
from offramp.runtime.fleet.registry import Fleet
from offramp.runtime.fleet.state import ModelState, ServerState, line, state
from offramp.runtime.listener import Page
from offramp.runtime.metering import BOUNDS_S, Meter, Tally

STATE_PATH = "/state.json"
_FRESH_S = 0.5  # a state is made no more often, however many look,
_SHARE = 0.1  # and takes no more of the time
_TICK_S = 2.0
_N_COUNTS = 1 + len(BOUNDS_S) + 1  # requests answered, and their times

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Dashboard:
    """Shows a fleet and what a server counts.

    Args:
        fleet: the edges that report to the server.
        meter: the server's own counts.
        clock: gives seconds that only grow.
    """

    def __init__(self, fleet: Fleet, meter: Meter, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fleet = fleet
        self._meter = meter
        self._clock = clock
        self._began = clock()
        self._history = History(_N_COUNTS)
        self._n_answered = 0
        self._ticked_at = -_TICK_S
        self._lock = RLock()  # those who look are several, and time ticks elsewhere
        self._fresh_until = self._began
        self._state = b""
        html = resources.files(__package__).joinpath("page.html").read_bytes()
        page = Page(html, "text/html; charset=utf-8", _HEADERS | {"Content-Security-Policy": _policy(html)})
        self.routes: dict[str, Callable[[str], Page]] = {"/": lambda _: page, STATE_PATH: self._state_page}
        self.tick()

    def tick(self) -> None:
        """Takes the server's counts down, if it is time."""
        with self._lock:
            now = self._clock()
            if now - self._ticked_at >= _TICK_S:
                self._ticked_at = now
                self._note(now)

    def _state_page(self, _: str) -> Page:
        with self._lock:
            now = self._clock()
            if now >= self._fresh_until:
                self._state = msgspec.json.encode(state(self._server(), self._fleet.edges()))
                took_s = self._clock() - now
                self._fresh_until = now + max(_FRESH_S, took_s / _SHARE)
            return Page(self._state, "application/json", _HEADERS)

    def _server(self) -> ServerState:
        now = self._clock()
        self._note(now)
        seconds, lately = self._history.lately(now)
        tallies = list(self._meter)
        failures = Counter[str]()
        for _, tally in tallies:
            failures.update(dict(tally.failures))
        return ServerState(
            version=__version__,
            uptime_s=now - self._began,
            requests_per_s=float(lately[0] / seconds) if seconds else 0.0,
            latency_s=percentiles(BOUNDS_S, lately[1:]),
            failures=dict(failures),
            requests_line=line(self._history.rates(now, [0])[0]),
            models=[_model(tally) for _, tally in tallies if tally.version],
        )

    def _note(self, now: float) -> None:
        tallies = [tally for _, tally in self._meter]
        within = [sum(counts) for counts in zip(*(tally.within for tally in tallies), strict=True)]
        n_answered = sum(tally.n_answered for tally in tallies)
        if n_answered < self._n_answered:  # a model is gone, and what it counted
            self._history = History(_N_COUNTS)
        self._n_answered = n_answered
        self._history.add(now, (n_answered, *within))


def _model(tally: Tally) -> ModelState:
    return ModelState(
        name=tally.model,
        version=tally.version,
        n_answered=tally.n_answered,
        n_failed=sum(dict(tally.failures).values()),
        n_rows=tally.n_rows,
        latency_s=percentiles(BOUNDS_S, tally.within),
    )


def _policy(html: bytes) -> str:
    """Lets the page run its own script and style, ask its own server, and nothing else whatever."""
    return (
        f"default-src 'none'; script-src {_digest(html, 'script')}; style-src {_digest(html, 'style')};"
        " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _digest(html: bytes, tag: str) -> str:
    """What names the one element of this tag in a policy."""
    content = html.partition(f"<{tag}>".encode())[2].partition(f"</{tag}>".encode())[0]
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"
