"""offramp link: a bad network in front of a tail."""

import asyncio
import math
import re
import signal
from collections.abc import Callable
from typing import Annotated

import typer

from offramp.cli.arguments import finite, finite_or_none
from offramp.cli.console import note, print_json_line, print_line
from offramp.errors import ConfigError
from offramp.runtime import ShapedLink

_STOP, _TOGGLE, _ON, _OFF = "stop", "toggle", "on", "off"
_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[^][]+)\]|(?P<bare>[^][:]+)):(?P<port>[0-9]{1,5})")


def link(
    target: Annotated[
        str, typer.Argument(metavar="HOST:PORT", help="Where the tail listens.", show_default=False)
    ],
    host: Annotated[str, typer.Option(help="Loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 0,
    rate_bits_per_s: Annotated[
        float, typer.Option(min=1, help="Each way, for all connections together.", show_default="no limit")
    ] = math.inf,
    delay_ms: Annotated[float, typer.Option(min=0, callback=finite, help="One way.")] = 0,
    jitter_ms: Annotated[
        float, typer.Option(min=0, callback=finite, help="Up to so much later, one way.")
    ] = 0,
    loss: Annotated[
        float, typer.Option(min=0, max=1, callback=finite, help="Share of TCP segments that are lost.")
    ] = 0,
    cut_every_s: Annotated[
        float, typer.Option(min=0.01, help="Reset all connections that often.", show_default="never")
    ] = math.inf,
    blackhole: Annotated[
        bool, typer.Option("--blackhole", help="Let nothing through from the start.")
    ] = False,
    blackhole_after_s: Annotated[
        float | None,
        typer.Option(
            min=0, callback=finite_or_none, help="Let nothing through from then on.", show_default=False
        ),
    ] = None,
    blackhole_for_s: Annotated[
        float | None,
        typer.Option(min=0, callback=finite_or_none, help="How long that lasts.", show_default="to the end"),
    ] = None,
    damage: Annotated[
        float,
        typer.Option(
            min=0, max=1, callback=finite, help="Share of chunks from the tail in which a byte is altered."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Tell everything as lines of JSON.")] = False,
) -> None:
    """Put a bad network in front of a tail: slow, cut, damaged or silent.

    Carries TCP both ways between the printed address, for the device, and HOST:PORT until
    Ctrl-C or SIGTERM, then tells what went through.

    A black hole takes what is sent and keeps connections open; signal SIGUSR1 begins and ends
    it. As TCP has it, nothing is missing afterwards: what was held back arrives, if its
    connection is still there.

    Loss is what a TCP stream shows of it: of segments of 1,460 bytes, a lost one is late by
    200 ms, or two round trips where that is more, and all that follows waits behind it.

    [bold]Examples[/bold]

      offramp link localhost:8001 --port 9001 --rate-bits-per-s 1e6 --delay-ms 20
      offramp link localhost:8001 --port 9001 --delay-ms 40 --jitter-ms 20 --loss 0.02
      offramp link localhost:8001 --port 9001 --blackhole-after-s 10 --blackhole-for-s 5
      offramp run digits.bundle --tail localhost:9001 --data digits
    """
    target_host, target_port = _address(target)
    hole = _Hole(blackhole, blackhole_after_s, blackhole_for_s, as_json)
    with ShapedLink(
        target_host,
        target_port,
        bits_per_s=rate_bits_per_s,
        delay_s=delay_ms / 1000,
        jitter_s=jitter_ms / 1000,
        loss=loss,
        damage=damage,
        cut_every_s=cut_every_s,
        seed=seed,
        host=host,
        port=port,
    ) as shaped:
        shaped.black_hole = blackhole
        asyncio.run(hole.switch(shaped, lambda: _announce(host, shaped.port, target, as_json)))
    _print_summary(shaped, as_json)


class _Hole:
    """When the black hole is."""

    def __init__(self, at_once: bool, after_s: float | None, lasting_s: float | None, as_json: bool) -> None:
        if at_once and after_s is not None:
            raise ConfigError("--blackhole is from the start; leave out that or --blackhole-after-s")
        self._begin_s = 0.0 if at_once else after_s
        if self._begin_s is None and lasting_s is not None:
            raise ConfigError(
                "--blackhole-for-s says how long, not when; give --blackhole or --blackhole-after-s"
            )
        self._lasting_s = lasting_s
        self._as_json = as_json

    async def switch(self, link: ShapedLink, on_ready: Callable[[], None]) -> None:
        """Switches it, by the clock and by SIGUSR1, until SIGTERM or SIGINT."""
        told: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        for number, what in ((signal.SIGTERM, _STOP), (signal.SIGINT, _STOP), (signal.SIGUSR1, _TOGGLE)):
            loop.add_signal_handler(number, told.put_nowait, what)
        on_ready()
        if self._begin_s is not None:
            loop.call_later(self._begin_s, told.put_nowait, _ON)
            if self._lasting_s is not None:
                loop.call_later(self._begin_s + self._lasting_s, told.put_nowait, _OFF)
        while (what := await told.get()) != _STOP:
            link.black_hole = not link.black_hole if what == _TOGGLE else what == _ON
            self._tell(link.black_hole)

    def _tell(self, on: bool) -> None:
        if self._as_json:
            print_json_line({"black_hole": on})
        else:
            note(f"black hole {_ON if on else _OFF}")


def _address(text: str) -> tuple[str, int]:
    parts = _ADDRESS.fullmatch(text)
    if parts is None or int(parts["port"]) > 65535:
        raise ConfigError(f"{text!r} is no HOST:PORT; write it as in localhost:8001 or [::1]:8001")
    return parts["bare"] or parts["bracketed"], int(parts["port"])


def _announce(host: str, port: int, target: str, as_json: bool) -> None:
    if as_json:
        print_json_line({"host": host, "port": port, "target": target})
    else:
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        print_line(f"link from {shown}:{port} to {target}")


def _print_summary(link: ShapedLink, as_json: bool) -> None:
    counts = {
        "connections": link.n_connections,
        "bytes_up": link.bytes_up,
        "bytes_down": link.bytes_down,
        "cuts": link.n_cuts,
        "late_chunks": link.n_late,
        "damaged_chunks": link.n_damaged,
    }
    if as_json:
        print_json_line(counts)
    else:
        print_line(", ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in counts.items()))
