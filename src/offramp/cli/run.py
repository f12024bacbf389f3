"""offramp run: the head and the exit of a bundle, on the device."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import typer

from offramp.bundle import Bundle, Preprocessing, present, read
from offramp.cli.arguments import finite
from offramp.cli.console import note, print_json_line
from offramp.cli.options import MAX_DEADLINE_S, BundleFolder, DataDir, Label, Threads
from offramp.data import SPLITS, load
from offramp.errors import ConfigError, DataError, TailRefusedError
from offramp.runtime import MODES, Answer, Edge, Mode

STANDARD_INPUT = "-"
ALL = "all"


class Sample(NamedTuple):
    """A raw sample, its number in the data set or its line, and its class where that is known."""

    id: int
    raw: npt.NDArray[Any]
    truth: str | None = None


def run(
    bundle: BundleFolder,
    tail: Annotated[
        str | None, typer.Option(help="HOST:PORT of the tail; mode local needs none.", show_default=False)
    ] = None,
    mode: Annotated[str, typer.Option(help="local, remote, split or split+exit.")] = "split+exit",
    data: Annotated[
        str,
        typer.Option(
            help="digits, mnist, or a labelled .npz, .csv or .parquet file; - reads standard input, on each"
            " line a sample as nested lists of JSON."
        ),
    ] = STANDARD_INPUT,
    data_dir: DataDir = None,
    label: Label = None,
    split: Annotated[
        str, typer.Option(help="Of a data set: train, validation, calibration, test or all.")
    ] = "test",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Decides the splits.", show_default="as in training")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many samples.", show_default=False)
    ] = None,
    deadline_s: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=MAX_DEADLINE_S,
            callback=finite,
            help="How long to wait for the tail before the exit's verdict stands.",
        ),
    ] = 0.5,
    threads: Threads = 1,
) -> None:
    """Answer samples one by one: a line of JSON for each, a summary on standard error.

    Where the tail does not answer in time, the exit's verdict is given, with "source":
    "fallback". Needs only the files of head and exit; mode local those of head and tail.

    [bold]Examples[/bold]

      offramp run digits.bundle --tail localhost:8001 --data digits
      offramp run digits.bundle --mode local --data digits --limit 3
      camera | offramp run model.bundle --tail server:8001
    """
    chosen = _mode(mode)
    if tail is None and chosen != "local":
        raise ConfigError(f"mode {mode} needs a tail; give --tail HOST:PORT, or --mode local")
    content = _read(bundle, chosen)
    tally = Tally()
    with Edge(content, tail=tail, mode=chosen, deadline_s=deadline_s, threads=threads) as edge:
        if data == STANDARD_INPUT:
            samples = tally.readable(sys.stdin.buffer, content.preprocessing)
        else:
            samples = _from_data(data, data_dir, label, split, _seed(content, seed), content.classes)
        if not edge.connect(deadline_s):
            note(f"tail {tail} is not ready; where it does not answer, the exit's verdict stands")
        answers: Iterator[tuple[Sample, Answer]] = ((sample, edge.infer(sample.raw)) for sample in samples)
        if data == STANDARD_INPUT:
            answers = tally.digestible(samples, edge)
        try:
            for sample, answer in islice(answers, limit):
                print_json_line(tally.count(sample, answer))
        finally:
            note(tally.summary())
    tally.check()


def sample_from_json(line: bytes, preprocessing: Preprocessing) -> npt.NDArray[Any]:
    """The raw sample in a line of JSON, in the type and shape that the network reads.

    Raises:
        DataError: no JSON, no numbers, or numbers of another range or shape.
    """
    wanted = f"{preprocessing.dtype} {preprocessing.shape}"
    try:
        values = np.asarray(msgspec.json.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"no nested lists of numbers ({error}); give {wanted}") from error
    kinds = "iu" if preprocessing.dtype == "uint8" else "iuf"
    if values.shape != preprocessing.shape or values.dtype.kind not in kinds:
        raise DataError(f"{values.dtype} {values.shape}; give {wanted} as nested lists")
    if preprocessing.dtype == "uint8" and (values.min() < 0 or values.max() > 255):
        raise DataError(f"values {values.min()}..{values.max()}; give {wanted}, so 0..255")
    with np.errstate(over="ignore"):  # an infinity is named below
        sample = values.astype(preprocessing.dtype)
    if not np.isfinite(sample).all():
        raise DataError(f"a value too large for float32; give {wanted}")
    return sample


@dataclass
class Tally:
    """What a run has seen so far."""

    n_correct: int = 0
    n_labelled: int = 0
    n_skipped: int = 0
    payload_bytes: int = 0
    n_refused: int = 0
    reason: str = ""  # of the last fallback
    latencies_s: list[float] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)

    def count(self, sample: Sample, answer: Answer) -> dict[str, Any]:
        """Count an answer; gives its line of output."""
        self.latencies_s.append(answer.latency_s)
        self.sources[answer.source] += 1
        self.payload_bytes += answer.payload_bytes
        line = {
            "id": sample.id,
            "label": answer.label,
            "class": answer.name,
            "confidence": answer.confidence,
            "source": answer.source,
            "latency_s": answer.latency_s,
            "payload_bytes": answer.payload_bytes,
        }
        if answer.reason is not None:
            line["reason"] = self.reason = answer.reason
            self.n_refused += isinstance(answer.fault, TailRefusedError)
        if sample.truth is not None:
            line["correct"] = answer.name == sample.truth
            self.n_labelled += 1
            self.n_correct += answer.name == sample.truth
        return line

    def readable(self, lines: Iterable[bytes], preprocessing: Preprocessing) -> Iterator[Sample]:
        """The samples in lines of JSON; a line that holds none is told of, counted and left out."""
        for number, line in enumerate(lines, start=1):
            if line.isspace():
                continue
            try:
                yield Sample(number, sample_from_json(line, preprocessing))
            except DataError as error:
                self.skip(number, error)

    def digestible(self, samples: Iterable[Sample], edge: Edge) -> Iterator[tuple[Sample, Answer]]:
        """The samples with their answers; one that overflows is left out as an unreadable line is."""
        for sample in samples:
            try:
                answer = edge.infer(sample.raw)
            except DataError as error:
                self.skip(sample.id, error)
            else:
                yield sample, answer

    def skip(self, line: int, error: DataError) -> None:
        self.n_skipped += 1
        note(f"line {line} skipped: {error}")

    def check(self) -> None:
        """Raise where a run that came to its end has failed all the same.

        Raises:
            DataError: lines were skipped.
            TailRefusedError: the tail is there, and took none of the offloads.
        """
        n_offloads = self.sources["tail"] + self.sources["fallback"]
        if self.n_refused and self.n_refused == n_offloads:
            raise TailRefusedError(f"all {n_offloads} offloads were refused: {self.reason}")
        if self.n_skipped:
            raise DataError(f"lines skipped: {self.n_skipped}, as said above; every other one was answered")

    def summary(self) -> str:
        """One line for people."""
        n = len(self.latencies_s)
        if n == 0:
            return "no sample answered"
        p50, p99 = 1000 * np.quantile(self.latencies_s, [0.5, 0.99])
        parts = [f"{n:,} answered"]
        if self.n_labelled:
            parts.append(f"accuracy {self.n_correct / self.n_labelled:.2%}")
        parts += [
            f"{source} {count / n:.1%}" + (f" ({self.reason})" if source == "fallback" else "")
            for source, count in self.sources.most_common()
        ]
        parts.append(f"{self.payload_bytes / n:.1f} payload bytes a sample")
        parts.append(f"latency p50 {p50:.3g} ms, p99 {p99:.3g} ms")
        return ", ".join(parts)


def _mode(name: str) -> Mode:
    for mode in MODES:
        if mode == name:
            return mode
    raise ConfigError(f"unknown mode {name!r}; use one of {', '.join(MODES)}")


def _read(path: Path, mode: Mode) -> Bundle:
    """The bundle with the parts that the mode works with, as far as they are here."""
    here = present(path)
    wanted = ("head", "encoder", "tail" if mode == "local" else "exit")
    return read(path, parts=[part for part in here if part in wanted] or here)


def _seed(bundle: Bundle, given: int | None) -> int:
    """The seed of the splits: that of the training by default, whose samples are then in no other split."""
    if given is not None:
        return given
    recorded = bundle.training.get("seed")
    return recorded if isinstance(recorded, int) else 0


def _from_data(
    source: str, data_dir: Path | None, label: str | None, split: str, seed: int, classes: Sequence[str]
) -> Iterator[Sample]:
    dataset = load(source, data_dir=data_dir, label=label, seed=seed)
    if strangers := [name for name in dataset.classes if name not in classes]:
        raise DataError(
            f"{source}: classes {_quoted(strangers)} are not among the bundle's {_quoted(classes)};"
            " give samples with the labels of the training data"
        )
    indices: dict[str, npt.NDArray[np.int64]] = {ALL: np.arange(len(dataset.y))}
    indices |= {name: dataset.splits[name] for name in SPLITS}
    if split not in indices:
        raise ConfigError(f"unknown split {split!r}; use one of {', '.join(indices)}")
    return (Sample(int(i), dataset.x[i], dataset.classes[dataset.y[i]]) for i in indices[split])


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
