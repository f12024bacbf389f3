"""offramp evaluate: what a bundle is worth on samples that it has not seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offramp.bundle import Bundle, read
from offramp.cli.console import cells_table, check_file, note, print_json, print_line, print_wide
from offramp.cli.judged_data import Judged, Source
from offramp.cli.options import BundleFolder, DataDir, JudgedData, Label, Page, Threads
from offramp.codec import CODECS, check_name
from offramp.errors import ConfigError, DataError
from offramp.int8 import IntegerDevice

if TYPE_CHECKING:
    from offramp.data.dataset import Array
    from offramp.plan.judgement import CodecRow

ALL, NONE = "all", "none"


def evaluate(
    bundle: BundleFolder,
    data: JudgedData = None,
    data_dir: DataDir = None,
    label: Label = None,
    split: Annotated[
        str, typer.Option(help="Of the bundle's own data set: test, validation, calibration or train.")
    ] = "test",
    codecs: Annotated[
        str | None,
        typer.Option(
            help=f"all, none, or some of {','.join(CODECS)}; fitted to the training split beside the bundle's"
            " own.",
            show_default="all, where the training split is at hand",
        ),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Of a device that computes with integers; without codecs.")
    ] = False,
    html: Page = None,
    threads: Threads = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge a bundle by labelled samples: exits, tail, system, risk, codecs.

    Everything with its 95% interval, computed here without a link; the tail reads
    features as they would arrive. The risk stands beside the certified one, and every
    codec beside float32. Needs all parts of the bundle.

    [bold]Examples[/bold]

      offramp evaluate digits.bundle
      offramp evaluate m --data-dir mnist --codecs int8,int4-range --html evaluation.html
      offramp evaluate m --data new.npz --codecs none --json
    """
    if html is not None:
        check_file(html)
    for name in _asked(codecs):
        check_name(name)
    if int8 and _asked(codecs):
        raise ConfigError(
            "--codecs compares features that a codec rounds; those of --int8 are rounded already"
        )
    network = read(bundle)
    source = Source(data, data_dir, label)
    samples = source.samples(network, split)
    assert samples.y is not None, "asked for labelled ones"
    from offramp.cli.evaluation import Report  # SciPy, which no edge has
    from offramp.plan.judgement import codec_rows, codec_study, evaluated

    rows: list[CodecRow] = []
    if int8:
        network = IntegerDevice(network).as_bundle
    else:
        names, train = _to_fit(codecs, source, network, samples)
        rows = codec_rows(network, [network.codec], samples.x, samples.y, threads=threads)
        if train is not None:
            rows = _merged(rows, codec_study(network, train, samples.x, samples.y, names, threads=threads))
    found = evaluated(network, samples.x, samples.y, int8=int8, threads=threads)
    report = Report(network, found, rows, samples.words, int8)
    if html is not None:
        html.write_text(report.page(_typed(bundle, split, codecs, data, int8=int8)), encoding="utf-8")
    if as_json:
        print_json(report.summary())
        return
    print_line(f"{network.name}{', int8,' if int8 else ''} on {samples.words}")
    for table in (report.answers(), report.risks(), *([report.codecs()] if rows else [])):
        print_wide(cells_table(table), n_keys=1)
    for line in report.notes():
        print_line(line)
    if html is not None:
        print_line(f"pictures in {html}")


def _asked(codecs: str | None) -> Sequence[str]:
    """The codecs that the option names."""
    if codecs in (None, NONE):
        return ()
    return CODECS if codecs == ALL else [name.strip() for name in str(codecs).split(",")]


def _to_fit(
    codecs: str | None, source: Source, network: Bundle, samples: Judged
) -> "tuple[Sequence[str], Array | None]":
    """Which codecs to fit, and the training samples for them; what was not asked for need not be at hand."""
    if codecs is None:
        try:
            return CODECS, source.training(network, samples)
        except (ConfigError, DataError) as error:
            note(f"other codecs are left out: {error}")
            return (), None
    names = _asked(codecs)
    return names, source.training(network, samples) if names else None


def _merged(own: "list[CodecRow]", others: "list[CodecRow]") -> "list[CodecRow]":
    """The bundle's codec first, unless it is one of the others anyway."""
    same = any((row.name, row.digest) == (own[0].name, own[0].digest) for row in others)
    return others if same else own + others


def _typed(bundle: Path, split: str, codecs: str | None, data: str | None, *, int8: bool) -> str:
    """What to type for the same; places of data are each reader's own."""
    given = {
        "--split": (split, "test"),
        "--codecs": (codecs, None),
        "--data": (data and Path(data).name, None),
    }
    options = (f"{name} {value}" for name, (value, default) in given.items() if value != default)
    return " ".join(["offramp evaluate", bundle.name, *options, *(["--int8"] if int8 else [])])
