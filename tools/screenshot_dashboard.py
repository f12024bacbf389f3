"""Writes docs/dashboard.png: the live page of a real server, to which a dozen edges have reported.

    python tools/screenshot_dashboard.py -o docs/dashboard.png

All of it is real but the factory: the digits network is trained, calibrated and served by the commands that
users have, and edges answer its test samples at the pace of a line. One sees other light after a while, one
is killed, one has a slow link, one a link that is gone for some seconds, and two answer twice. It takes six
minutes, and chromium.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
from headless import Browser
from PIL import Image

from offramp import bundle as bundles
from offramp.data import load
from offramp.runtime import Edge, ShapedLink
from offramp.runtime.refining import RefiningEdge

OFFRAMP = [sys.executable, "-m", "offramp"]
DARK_AFTER, CUT_AFTER, CUT_S, KILLED_AFTER = 0.35, 0.9, 4, 0.6  # shares of the time, and seconds
VIEWS = {  # width, height, dark, pixels of the picture to one of the page
    "light": (1280, 1500, False, 1),
    "dark": (1280, 1500, True, 1),
    "phone": (390, 844, False, 2),
    "phone-dark": (390, 844, True, 2),
    "phone-whole": (390, 3400, False, 1),
    "tablet": (820, 1180, False, 1),
}


@dataclass(frozen=True)
class Line:
    """A production line with an edge of its own."""

    name: str
    samples_per_s: float
    delay_s: float = 0.0
    twice: bool = False
    darkens: bool = False
    cut: bool = False
    killed: bool = False


LINES = (
    *(Line(f"line-{n}", rate) for n, rate in ((1, 14), (2, 11), (4, 16), (5, 6), (6, 12), (8, 9))),
    Line("line-3", 13, darkens=True),
    Line("line-7", 10, killed=True),
    Line("line-9", 8, delay_s=0.025),
    Line("line-10", 10, cut=True),
    Line("sorter-1", 12, twice=True),
    Line("sorter-2", 7, twice=True),
)


class Factory:
    """Lines that show samples to their edges, from `start` until told to stop.

    Args:
        path: of the bundle.
        port: of its server.
        seconds: that it is to run.
    """

    def __init__(self, path: Path, port: int, seconds: float) -> None:
        data = load("digits")
        self._samples = data.x[data.splits["test"]]
        self._path = path
        self._bundle = bundles.read(path, parts=["head", "exit"])
        self._port = port
        self._seconds = seconds
        self._began = time.monotonic()
        self._ended = threading.Event()

    def start(self) -> list[threading.Thread]:
        """All lines begin."""
        works = [(self._killed if line.killed else self._runs, line) for line in LINES]
        threads = [threading.Thread(target=work, args=(line,), daemon=True) for work, line in works]
        for thread in threads:
            thread.start()
        return threads

    def stop(self) -> None:
        """No more samples come."""
        self._ended.set()

    def _share(self) -> float:
        return (time.monotonic() - self._began) / self._seconds

    def _shown(self, line: Line) -> Iterator[npt.NDArray[Any]]:
        """Samples, one when the line brings it; lines run faster and slower."""
        chance = random.Random(line.name)
        phase = chance.uniform(0, 6)
        while True:
            pace = line.samples_per_s * (1 + 0.25 * math.sin(phase + 6 * self._share()))
            if self._ended.wait(chance.expovariate(pace)):
                return
            sample = chance.choice(self._samples)
            dark = line.darkens and self._share() > DARK_AFTER
            yield (sample * 0.45 + chance.uniform(0, 2)).astype(sample.dtype) if dark else sample

    def _runs(self, line: Line) -> None:
        with ShapedLink("127.0.0.1", self._port, delay_s=line.delay_s) as link:
            tail = f"127.0.0.1:{link.port}"
            with self._edge(line, tail) as edge:
                for sample in self._shown(line):
                    gone_s = (self._share() - CUT_AFTER) * self._seconds
                    link.black_hole = line.cut and 0 < gone_s < CUT_S
                    edge.infer(sample)

    def _edge(self, line: Line, tail: str) -> Edge | RefiningEdge:
        if line.twice:
            return RefiningEdge(self._bundle, tail=tail, name=line.name, on_refined=lambda outcome: None)
        return Edge(self._bundle, tail=tail, name=line.name)

    def _killed(self, line: Line) -> None:
        options = ["--tail", f"127.0.0.1:{self._port}", "--name", line.name]
        with subprocess.Popen(
            [*OFFRAMP, "run", str(self._path), *options], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as process:
            assert process.stdin is not None
            for sample in self._shown(line):
                if self._share() > KILLED_AFTER:
                    break
                process.stdin.write(json.dumps(sample.tolist()).encode() + b"\n")
                process.stdin.flush()
            process.kill()


def network(folder: Path) -> Path:
    """A bundle of the digits network, trained and calibrated."""
    path = folder / "digits"
    for command in (["train", "--codec", "int4-range", "-o", path], ["calibrate", path, "--risk", "0.05"]):
        subprocess.run([*OFFRAMP, *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    return path


@contextmanager
def server(path: Path) -> Iterator[dict[str, Any]]:
    """What `offramp serve --dashboard` announces of itself."""
    options = ["--port", "0", "--metrics-port", "0", "--dashboard", "--json"]
    with subprocess.Popen([*OFFRAMP, "serve", str(path), *options], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def take(url: str, file: Path, view: str) -> None:
    """A picture of the page."""
    width, height, dark, scale = VIEWS[view]
    with Browser(dark=dark) as browser:
        browser.resize(width, height, scale=scale, mobile=width < 500)
        browser.open(url)
        browser.until("document.querySelectorAll('#edges tbody tr').length > 0")
        picture = Image.open(io.BytesIO(browser.picture())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)  # a third of the bytes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/dashboard.png"))
    parser.add_argument("--seconds", type=float, default=330, help="how long the factory runs before")
    parser.add_argument("--views", type=Path, help=f"a folder for all views too: {', '.join(VIEWS)}")
    parser.add_argument("--keep", action="store_true", help="go on until Ctrl-C, and say where the page is")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(path := network(Path(folder))) as told:
        factory = Factory(path, told["port"], given.seconds)
        threads = factory.start()
        time.sleep(given.seconds)
        take(told["dashboard"], given.output, "light")
        for view in VIEWS if given.views else ():
            take(told["dashboard"], given.views / f"{view}.png", view)
        if given.keep:
            print(told["dashboard"], flush=True)
            threading.Event().wait()
        factory.stop()
        for thread in threads:
            thread.join(30)


if __name__ == "__main__":
    main()
