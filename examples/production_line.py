"""A production line: the exit decides at once, doubtful parts wait aside until the server has spoken.

The application that the paper begins with (Capogrosso et al., arXiv:2407.11763, section I). "good" parts stay
on the belt and "scratched" ones leave it, on the exit's word alone where it is sure. A doubtful part goes to
a buffer at the side with a provisional verdict; when the tail's answer comes, it is brought back to the belt
or thrown out. Over a bad link, and while there is none at all, the belt never waits.

Run it: python examples/production_line.py
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from offramp.bundle import Bundle, read, write
from offramp.data import load
from offramp.runtime import Answer, LinkSettings, ShapedLink
from offramp.runtime.refining import Refined, RefiningEdge
from offramp.system.design import Design
from offramp.system.training import train_bundle
from offramp.train import RECIPES

SIDE = 12  # of a camera's picture, in pixels
PACE_S = 0.005  # between two parts
N_PARTS = 600
GOOD, SCRATCHED = "good", "scratched"
BAD_LINK = LinkSettings(bits_per_s=250_000, delay_s=0.03, jitter_s=0.02, loss=0.02, damage=0.02)


def photograph(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (n, SIDE, SIDE) of bytes of a rough surface, and on which of them is a faint line."""
    x = rng.normal(128, 20, (n, SIDE, SIDE))
    scratched = rng.random(n) < 0.5
    for i in np.flatnonzero(scratched):
        start, slope = rng.uniform(2, SIDE - 3), rng.uniform(-0.8, 0.8)
        columns = np.arange(SIDE)
        rows = np.clip(np.round(start + slope * (columns - SIDE / 2)), 0, SIDE - 1).astype(int)
        x[i, rows, columns] += rng.uniform(40, 90)
    return np.clip(x, 0, 255).astype(np.uint8), scratched


def trained(folder: Path) -> Bundle:
    """A sparse head with its exit, and a larger tail."""
    x, scratched = photograph(np.random.default_rng(0), 6000)
    np.savez(folder / "parts.npz", x=x, y=np.where(scratched, SCRATCHED, GOOD))
    dataset = load(folder / "parts.npz")
    design = Design(neurons=(SIDE * SIDE, 64, 256, 2), out_degrees=(8, None, None), max_accuracy_drop=0.002)
    bundle, _ = train_bundle("line", dataset, design, RECIPES["cosine"])
    write(bundle, folder / "line.bundle")
    return read(folder / "line.bundle", parts=("head", "exit"))


@contextmanager
def server(bundle: Path) -> Iterator[int]:
    """The port of `offramp serve`, as it would run elsewhere."""
    command = [sys.executable, "-m", "offramp", "serve", str(bundle), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield msgspec.json.decode(process.stdout.readline())["port"]
        finally:
            process.terminate()


class Line:
    """The belt, the bin, and the side buffer between them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.where: dict[str, str] = {}
        self.most_aside = self.n_returned = self.n_retracted = 0
        self._told = 0

    def passes(self, part: str, answer: Answer) -> None:
        """The camera's answer, at once."""
        with self._lock:
            if answer.final:
                self.where[part] = "belt" if answer.name == GOOD else "bin"
            elif part not in self.where:  # else the tail was even faster
                self.where[part] = "aside"
                self.most_aside = max(self.most_aside, list(self.where.values()).count("aside"))

    def corrected(self, outcome: Refined) -> None:
        """The server's answer, whenever it comes."""
        with self._lock:
            self.where[outcome.id] = "belt" if outcome.name == GOOD else "bin"
            self.n_returned += outcome.name == GOOD
            self.n_retracted += outcome.retracted
            if outcome.retracted and self._told < 8:
                self._told += 1
                print(
                    f"  {outcome.id}: the exit said {outcome.provisional_name}, retracted after"
                    f" {1000 * outcome.waited_s:,.0f} ms: {outcome.name}, so"
                    f" {'back to the belt' if outcome.name == GOOD else 'thrown out'}"
                )


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        device = trained(folder)
        x, scratched = photograph(np.random.default_rng(1), N_PARTS)
        line, answers = Line(), list[Answer]()
        with (
            server(folder / "line.bundle") as port,
            ShapedLink("127.0.0.1", port) as link,
            RefiningEdge(
                device, tail=f"127.0.0.1:{link.port}", journal=folder / "journal", on_refined=line.corrected
            ) as edge,
        ):
            edge.connect()
            link.settings = BAD_LINK
            for number, picture in enumerate(x):
                if number == N_PARTS // 3:
                    print("the link is gone")
                    link.black_hole = True
                if number == 2 * N_PARTS // 3:
                    print(f"the link is back; {edge.counts().pending} parts wait aside")
                    link.black_hole = False
                answers.append(edge.infer(picture, id=f"part-{number}"))
                line.passes(f"part-{number}", answers[-1])
                time.sleep(PACE_S)
            settled = edge.settle(30)
    tell(line, answers, scratched, settled)


def tell(line: Line, answers: list[Answer], scratched: np.ndarray, settled: bool) -> None:
    said = [answer.name == SCRATCHED for answer in answers]
    binned = [line.where[f"part-{number}"] == "bin" for number in range(len(answers))]
    n_aside = sum(not answer.final for answer in answers)
    slowest_s = max(answer.latency_s for answer in answers)
    print(f"{len(answers)} parts, {n_aside} of them went aside, at most {line.most_aside} at a time")
    print(f"{line.n_returned} came back to the belt, {line.n_retracted} verdicts were retracted")
    print(
        f"right at once {np.mean(said == scratched):.1%}, right in the end {np.mean(binned == scratched):.1%}"
    )
    left = "nothing" if settled else "something"
    print(f"the belt waited {1000 * slowest_s:.1f} ms at most; {left} is left aside")


if __name__ == "__main__":
    main()
