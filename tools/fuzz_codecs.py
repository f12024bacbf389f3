"""Throws hostile bytes at every codec's decoder and at the reader of requests, and counts what they became.

    python tools/fuzz_codecs.py --inputs 1000000 --seconds 60
    python tools/fuzz_codecs.py --atheris --seconds 60     guided by coverage, where atheris is installed

Any bytes must become finite features of the right shape or a WireError, in memory that is bounded by the
features' own. Whatever else happens is a crash: the input is saved, and the exit status is 1.
"""

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

WIDTHS = (1, 5, 40, 300)  # features
BATCHES = (*[1] * 40, *[4] * 8, 100)  # rows of the seeds
MEASURED_EVERY = 37  # inputs: tracing memory makes each of them slow; a prime, or some targets never are
ROOM_BYTES = 64 * 1024  # beside the features and the input: NumPy's buffers take half of it
ROOM_PER_BYTE = 64  # of a message: Python's objects for its fields


@dataclass(frozen=True)
class Target:
    """Something that reads bytes from anybody.

    Args:
        read: features of the input, or WireError.
        allowed_bytes: most memory that reading the input may take.
        seeds: inputs that are read without an error.
    """

    name: str
    read: Callable[[bytes], npt.NDArray[np.float32]]
    allowed_bytes: Callable[[bytes], int]
    seeds: tuple[bytes, ...]


@dataclass
class Tally:
    """What became of the inputs."""

    folder: Path
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    largest: dict[str, float] = field(default_factory=dict)  # memory, as a share of what is allowed
    started: float = field(default_factory=time.monotonic)

    @property
    def n_inputs(self) -> int:
        return self.counts.total()

    @property
    def n_crashes(self) -> int:
        return sum(n for (_, outcome), n in self.counts.items() if outcome == "crashes")

    def see(self, target: Target, data: bytes) -> None:
        """Give an input to a target and count the outcome."""
        measured = self.n_inputs % MEASURED_EVERY == 0
        try:
            outcome = self._outcome(target, data, measured=measured)
        except Exception:  # noqa: BLE001 (an exception is what is looked for)
            outcome = "crashes"
            self._save(target, data)
        self.counts[target.name, outcome] += 1

    def _outcome(self, target: Target, data: bytes, *, measured: bool) -> str:
        from offramp.errors import WireError

        if measured:
            tracemalloc.start()
        try:
            features = target.read(data)
            if features.dtype != np.float32 or not np.isfinite(features).all():
                raise ValueError(f"features that are not finite: {features}")
            return "read"
        except WireError:
            return "refused"
        finally:
            if measured:
                self._weigh(target, data, tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()

    def _weigh(self, target: Target, data: bytes, taken: int) -> None:
        share = taken / target.allowed_bytes(data)
        self.largest[target.name] = max(share, self.largest.get(target.name, 0))
        if share > 1:
            raise MemoryError(f"{taken} bytes were taken, {target.allowed_bytes(data)} are allowed")

    def _save(self, target: Target, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{target.name.replace(' ', '-')}-{self.n_crashes}.bin"
        path.write_bytes(data)
        print(f"{path}: {target.name} crashed\n{traceback.format_exc()}", file=sys.stderr, flush=True)

    def report(self) -> None:
        names = sorted({name for name, _ in self.counts})
        seconds = time.monotonic() - self.started
        print(f"{'':24}{'inputs':>10}{'read':>10}{'refused':>10}{'crashes':>10}{'memory':>10}")
        for name in names:
            outcomes = [self.counts[name, outcome] for outcome in ("read", "refused", "crashes")]
            cells = "".join(f"{n:10d}" for n in (sum(outcomes), *outcomes))
            print(f"{name:24}{cells}{self.largest.get(name, 0):10.0%}")
        print(
            f"{self.n_inputs} inputs in {seconds:.0f} s, {self.n_crashes} crashes; memory, of every"
            f" {MEASURED_EVERY}th input: the most that one took, as a share of what is allowed",
            flush=True,
        )


def main() -> None:
    arguments = _arguments()
    targets = make_targets(arguments.seed, guided=arguments.atheris)
    tally = Tally(arguments.crashes)
    if arguments.atheris:
        _guided(targets, tally, arguments)
    deadline = time.monotonic() + arguments.seconds
    rng = random.Random(arguments.seed)
    while tally.n_inputs < arguments.inputs and time.monotonic() < deadline:
        target = targets[tally.n_inputs % len(targets)]
        tally.see(target, mutated(rng.choice(target.seeds), rng))
    tally.report()
    sys.exit(tally.n_crashes > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10**9, help="stop after so many")
    parser.add_argument("--seconds", type=float, default=60, help="stop after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="choose inputs by coverage")
    parser.add_argument("--crashes", type=Path, default=Path("fuzz-crashes"), help="folder for their inputs")
    return parser.parse_args()


def make_targets(seed: int, *, guided: bool = False) -> list[Target]:
    """The decoder of every codec, and the reader of requests with every codec, for vectors of all WIDTHS."""
    with _instrumented() if guided else contextlib.nullcontext():
        from offramp.codec import CODECS, fit_codec
    rng = np.random.default_rng(seed)
    targets = []
    for width in WIDTHS:
        features = np.maximum(rng.normal(size=(500, width)) * 3, 0).astype(np.float32)
        for name in CODECS:
            codec = fit_codec(name, features)
            targets += [_decoder(codec, features), _reader(codec, features)]
    return targets


def _instrumented() -> Any:
    try:
        import atheris
    except ImportError as error:
        raise SystemExit("atheris is not installed: pip install atheris, or leave out --atheris") from error
    return atheris.instrument_imports(include=["offramp"])


def _decoder(codec: Any, features: npt.NDArray[np.float32]) -> Target:
    """`decode_rows`; the first byte of an input says how many rows the others are."""
    from offramp.codec import stacked

    width = features.shape[1]

    def rows(data: bytes) -> npt.NDArray[np.uint8]:
        n_rows = 1 + data[0] if data else 1
        each = len(data[1:]) // n_rows
        return np.frombuffer(data[1 : 1 + n_rows * each], np.uint8).reshape(n_rows, each)

    def read(data: bytes) -> npt.NDArray[np.float32]:
        coded = rows(data)
        decoded = codec.decode_rows(coded, width)
        if decoded.shape != (len(coded), width):
            raise ValueError(f"features of shape {decoded.shape}")
        return decoded

    def allowed_bytes(data: bytes) -> int:
        return 4 * width * len(rows(data)) + 2 * len(data) + ROOM_BYTES

    coded = [codec.encode_rows(batch) for batch in _batches(features)]
    seeds = tuple(bytes([len(one) - 1]) + stacked(one).tobytes() for one in coded)
    return Target(f"{codec.name} rows", read, allowed_bytes, seeds)


def _reader(codec: Any, features: npt.NDArray[np.float32]) -> Target:
    """`InferRequest.from_bytes` and `read_features`, as a tail does both."""
    from offramp.wire import InferRequest, features_request, read_features

    width = features.shape[1]

    def read(data: bytes) -> npt.NDArray[np.float32]:
        return read_features(InferRequest.from_bytes(data), n_features=width, codec=codec)

    def allowed_bytes(data: bytes) -> int:
        return (4 * width + ROOM_PER_BYTE) * len(data) + ROOM_BYTES

    seeds = tuple(
        features_request(
            codec.encode_rows(batch),
            n_features=width,
            model_name="m.tail",
            codec=codec,
            head_digest="0" * 64,
        ).to_bytes()
        for batch in _batches(features)
    )
    return Target(f"{codec.name} request", read, allowed_bytes, seeds)


def _batches(features: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    return [features[i : i + n] for i, n in enumerate(BATCHES)]


def mutated(seed: bytes, rng: random.Random) -> bytes:
    """A seed as it is, damaged in up to eight places, or forgotten for bytes without sense."""
    if rng.random() < 0.2:
        return rng.randbytes(rng.randrange(2 * len(seed) + 2))
    data = bytearray(seed)
    for _ in range(rng.randrange(9)):
        _damage(data, rng)
    return bytes(data)


def _damage(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data) + 1)
    kind = rng.randrange(6)
    if kind == 0 and place < len(data):
        data[place] ^= 1 << rng.randrange(8)
    elif kind == 1 and place < len(data):
        data[place] = rng.choice((0, 1, 15, 16, 127, 128, 254, 255))
    elif kind == 2:
        del data[place:]
    elif kind == 3:
        del data[place : place + rng.randrange(1, 5)]
    elif kind == 4:
        data[place:place] = rng.randbytes(rng.randrange(1, 5))
    else:
        data += bytes(rng.randrange(1, 9))


def _guided(targets: list[Target], tally: Tally, arguments: argparse.Namespace) -> NoReturn:
    """By atheris: the first byte of an input chooses the target."""
    import atheris

    deadline = time.monotonic() + arguments.seconds

    def one(data: bytes) -> None:
        if data:
            tally.see(targets[data[0] % len(targets)], data[1:])
        if tally.n_inputs >= arguments.inputs or time.monotonic() > deadline:
            tally.report()
            os._exit(tally.n_crashes > 0)  # libFuzzer has no other way to stop without an error

    with _corpus(targets) as folder:
        atheris.Setup([sys.argv[0], f"-seed={arguments.seed + 1}", "-verbosity=0", folder], one)
        atheris.Fuzz()
    raise SystemExit("atheris ended before its time")


@contextlib.contextmanager
def _corpus(targets: list[Target]) -> Iterator[str]:
    """A folder with some seeds of each target."""
    with tempfile.TemporaryDirectory() as folder:
        for i, target in enumerate(targets):
            for k, seed in enumerate(target.seeds[:4]):
                (Path(folder) / f"{i}-{k}").write_bytes(bytes([i]) + seed)
        yield folder


if __name__ == "__main__":
    main()
