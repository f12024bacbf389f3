"""offramp run: the head and the exit of a bundle, on the device."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

from offramp.bundle import Bundle, check_exits, present, read
from offramp.cli.arguments import finite, finite_or_none
from offramp.cli.console import note, notes_of
from offramp.cli.direct import Direct
from offramp.cli.options import (
    MAX_DEADLINE_S,
    BundleFolder,
    Ca,
    Cert,
    DataDir,
    HedgeAfter,
    Key,
    Label,
    Threads,
    TokenFile,
)
from offramp.cli.refining import Refining
from offramp.cli.samples import Sample
from offramp.cli.tally import Tally
from offramp.data import SPLITS, load
from offramp.errors import ConfigError, DataError
from offramp.runtime import MODES, ClientSecurity, Edge, LinkPolicy, Mode
from offramp.runtime.journal import Journal
from offramp.runtime.refining import Refined, RefiningEdge, RefiningSettings

STANDARD_INPUT = "-"
ALL = "all"


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
            ' line a sample as nested lists of JSON, or {"id": ..., "sample": nested lists}.'
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
        float | None,
        typer.Option(
            min=0.001,
            max=MAX_DEADLINE_S,
            callback=finite_or_none,
            help="How long to wait for the tail before the exit's verdict stands; with --refine, before its"
            " next request.",
            show_default="0.5; 5 with --refine",
        ),
    ] = None,
    hedge_after_s: HedgeAfter = None,
    refine: Annotated[
        bool,
        typer.Option(
            "--refine", help="Answer at once with the exit's verdict, and again when the tail has answered."
        ),
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="With --refine: keep what has no second answer in this file, through crashes and restarts.",
            show_default=False,
        ),
    ] = None,
    sync: Annotated[
        str,
        typer.Option(
            help="Of the journal: full outlives a power cut; normal outlives the process, and waits less."
        ),
    ] = "full",
    side_buffer: Annotated[
        int, typer.Option(min=1, help="With --refine: samples that may wait for the tail.")
    ] = 10_000,
    when_full: Annotated[
        str,
        typer.Option(
            help="With --refine: refuse makes the exit's verdict final for more samples, drop-oldest for the"
            " oldest that wait."
        ),
    ] = "refuse",
    refine_within_s: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            callback=finite_or_none,
            help="With --refine: give the tail up after so long, and the exit's verdict stands.",
            show_default="never",
        ),
    ] = None,
    settle_s: Annotated[
        float,
        typer.Option(
            min=0, callback=finite, help="With --refine: how long to wait at the end for second answers."
        ),
    ] = 10.0,
    batch: Annotated[
        int,
        typer.Option(min=1, help="Samples answered together; standard input is then read so many at a time."),
    ] = 1,
    drift_alarm_every: Annotated[
        int,
        typer.Option(
            min=0,
            help="Tell when samples no longer look like those of calibration, with a false alarm once in so"
            " many samples; 0 does not watch.",
        ),
    ] = 1_000_000,
    plain_features: Annotated[
        bool,
        typer.Option(
            "--plain-features",
            help="Send features as FP32, for servers of others: more bytes, the bundle's codec is left out.",
        ),
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Compute with integers, bit for bit as an exported microcontroller; see quantise."
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            help="Of this device, which then reports what it does to the tail, for serve --dashboard.",
            show_default="no reports",
        ),
    ] = None,
    threads: Threads = 1,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    token_file: TokenFile = None,
) -> None:
    """Answer samples: a line of JSON for each, in order, and a summary on standard error.

    Where the tail does not answer in time, the exit's verdict is given, with "source":
    "fallback". Needs only the files of head and exits; mode local those of head and tail.
    In a batch, samples that an exit is sure of save the rest of the computation, and the
    others go to the tail together.

    With --refine nobody waits for the tail: the first line of a sample says "answer":
    "final", or "provisional", and then a second one follows, "refined", with "retracted"
    true where the tail says another class. Each sample should have an id of its own.
    A second line comes again after a crash unless it was printed.

    [bold]Examples[/bold]

      offramp run digits.bundle --tail localhost:8001 --data digits
      offramp run digits.bundle --mode local --data digits --limit 3
      offramp run digits.bundle --tail localhost:8001 --data digits --batch 64
      offramp run digits.bundle --tail localhost:8001 --data digits --name line-4
      offramp run digits.bundle --tail localhost:8001 --refine --journal edge.journal
      camera | offramp run model.bundle --tail server:8001 --ca ca.pem --token-file token
    """
    chosen = _mode(mode)
    if tail is None and chosen != "local":
        raise ConfigError(f"mode {mode} needs a tail; give --tail HOST:PORT, or --mode local")
    if journal is not None and not refine:
        raise ConfigError("--journal keeps what waits for a second answer; give --refine too")
    if hedge_after_s is not None and refine:
        raise ConfigError("--hedge-after-s is for whom the tail is waited for; leave out --refine")
    security = ClientSecurity(ca, cert, key, token_file)
    content = _read(bundle, chosen)
    settings: dict[str, Any] = {
        "tail": tail,
        "mode": chosen,
        "security": security,
        "threads": threads,
        "drift_alarm_every": drift_alarm_every,
        "plain_features": plain_features,
        "int8": int8,
        "name": name,
    }

    def answers() -> Direct | Refining:
        if not refine:
            policy = LinkPolicy(hedge_after_s=hedge_after_s)
            return Direct(Edge(content, **settings, policy=policy, **_given(deadline_s=deadline_s)))
        return _refining(
            content,
            settings,
            journal=journal,
            keeping={"sync": sync, "max_pending": side_buffer, "when_full": when_full},
            asking={"deadline_s": deadline_s, "refine_within_s": refine_within_s},
            settle_s=settle_s,
        )

    tally = Tally()
    with notes_of("offramp.runtime"), answers() as answering:
        if data == STANDARD_INPUT:
            samples = tally.readable(sys.stdin.buffer, content.preprocessing)
        else:
            samples = _from_data(data, data_dir, label, split, _seed(content, seed), content.classes)
        if not answering.edge.connect(deadline_s or 0.5):
            note(f"tail {tail} is not ready; {answering.not_ready}")
        try:
            for sample, answer in tally.answered(
                samples, answering.ask, batch=batch, limit=limit, skipping=data == STANDARD_INPUT
            ):
                answering.show(tally.count(sample, answer), answer, sample.truth)
            answering.finish()
        finally:
            tally.n_drift_alarms = answering.edge.drift_alarms
            tally.tail_counts = answering.edge.tail_counts
            more = answering.summary(tally.n_labelled, tally.n_correct)
            note(", ".join(filter(None, (tally.summary(), more))))
    tally.check()


def _refining(
    content: Bundle,
    settings: dict[str, Any],
    *,
    journal: Path | None,
    keeping: dict[str, Any],
    asking: dict[str, Any],
    settle_s: float,
) -> Refining:
    asked = RefiningSettings(**_given(**asking))
    kept = Journal(journal, **keeping, move_aside=True, must_open=False)

    def edge(told: Callable[[Refined], None]) -> RefiningEdge:
        return RefiningEdge(content, journal=kept, on_refined=told, settings=asked, **settings)

    return Refining(edge, journal, settle_s)


def _given(**settings: Any) -> dict[str, Any]:
    """Those that somebody has set; the others have their defaults where they are used."""
    return {name: value for name, value in settings.items() if value is not None}


def _mode(name: str) -> Mode:
    for mode in MODES:
        if mode == name:
            return mode
    raise ConfigError(f"unknown mode {name!r}; use one of {', '.join(MODES)}")


def _read(path: Path, mode: Mode) -> Bundle:
    """The bundle with the parts that the mode works with, as far as they are here."""
    here = present(path)
    wanted = {"head", "encoder", "tail" if mode == "local" else "exit"}
    if mode == "split+exit":
        check_exits(path, "head")
        wanted |= {part for part in here if part.startswith("exit-head-")}
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
