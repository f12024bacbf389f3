"""offramp verify: exported C beside its reference, bit for bit, on emulated processors."""

import platform
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

import offramp
from offramp.bundle import Bundle, present, read
from offramp.cli import arguments
from offramp.cli.console import (
    cells_table,
    check_file,
    note,
    print_json,
    print_line,
    print_wide,
    progress,
)
from offramp.cli.judged_data import Judged, Source
from offramp.cli.options import DataDir, JudgedData, Label, ResultsPage
from offramp.cli.results import check_page, typed
from offramp.errors import ConfigError
from offramp.targets import TARGETS
from offramp.verification import ONNX

if TYPE_CHECKING:
    from offramp.experiments.verified import Form, Verified
    from offramp.export.c import Numbers

_DIFFERENT = 1  # exit status


def verify(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            metavar="[BUNDLE]",
            help="The folder that offramp train wrote.",
            show_default="one trained first, for MNIST, or where that is not at hand for digits; and the"
            " table of cases",
        ),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Only the form in integers.")] = False,
    float32: Annotated[bool, typer.Option("--float32", help="Only the form in float32.")] = False,
    target: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(TARGETS)}, {ONNX}; may be repeated.", show_default="all"),
    ] = None,
    images: Annotated[str, typer.Option(help="Samples for the first form, or all.")] = "all",
    data: JudgedData = None,
    data_dir: DataDir = None,
    label: Label = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Targets at a time.")] = 2,
    json_file: Annotated[
        Path | None, typer.Option(help="Write all figures here as JSON.", show_default=False)
    ] = None,
    markdown: ResultsPage = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Hold exported C against its reference, bit for bit, on emulated processors.

    What offramp export c writes is built for every target, run on the test split and on
    samples at the edges, and compared with the reference in NumPy: every activation, score,
    verdict and coded byte. The command fails where one of them differs. Targets whose
    compiler or emulator is not installed are skipped and named.

    Without a BUNDLE the exporter itself is held: a trained network in all its forms, and
    small ones for every index encoding, codec, criterion and kind of sample.

    [bold]Examples[/bold]

      offramp verify digits.bundle
      offramp verify m --target cortex-m4 --target atmega328p --images 1000
      offramp verify --json-file verify-export.json
    """
    names = _targets(target or [*TARGETS, ONNX])
    most = arguments.count(images, "--images")
    for path in (json_file, markdown):
        if path is not None:
            check_file(path)
    check_page(markdown)
    import_module("scipy")  # missing: say so now, not after the work
    from offramp.experiments.verified import verified, write_verified, write_verified_page

    network, judged = _trained(data, data_dir) if bundle is None else _read(bundle, data, data_dir, label)
    kinds = _numbers(network, int8=int8, float32=float32)
    forms = _forms(network, judged.x[:most], names, kinds, with_cases=bundle is None)
    options = [("", "" if bundle is None else bundle.name, ""), ("--images", images, "all")]
    options += [("--target", name, "") for name in target or ()]
    options += [(f"--{kind}", " ", "") for kind in kinds if len(kinds) == 1 and (int8 or float32)]
    with progress() as bar:
        task = bar.add_task("built, run and compared", total=sum(len(form.targets) for form in forms))
        found = verified(
            forms,
            samples=judged.words,
            command=typed("offramp verify", options, markdown),
            environment=_environment(names),
            workers=workers,
            done=lambda: bar.advance(task),
        )
    written = [] if json_file is None else write_verified(found, json_file)
    if markdown is not None:
        written += write_verified_page(found, markdown)
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found)
    if written:
        note(f"written: {', '.join(map(str, written))}")
    if found.mismatches or not found.compared:
        raise typer.Exit(_DIFFERENT)


def _targets(wanted: Sequence[str]) -> tuple[str, ...]:
    known = (*TARGETS, ONNX)
    if unknown := [name for name in wanted if name not in known]:
        raise ConfigError(f"unknown target {unknown[0]!r}; use one of {', '.join(known)}")
    return tuple(name for name in known if name in wanted)


def _read(bundle: Path, data: str | None, data_dir: Path | None, label: str | None) -> tuple[Bundle, Judged]:
    network = read(bundle, parts=[part for part in present(bundle) if part != "tail"])
    return network, Source(data, data_dir, label).samples(network, "test", labelled=False)


def _trained(data: str | None, data_dir: Path | None) -> tuple[Bundle, Judged]:
    """A network for the data; by default for MNIST, where its files are at hand."""
    from offramp.data import load
    from offramp.experiments.verified.trained import trained

    dataset = load(data or ("digits" if data_dir is None else "mnist"), data_dir=data_dir)
    note(f"training a network for {dataset.name}")
    x, y = dataset.split("test")
    words = f"the test split of {dataset.name}, {len(x):,} samples"
    return trained(dataset), Judged(x, y, words, dataset)


def _numbers(network: Bundle, *, int8: bool, float32: bool) -> "list[Numbers]":
    """What was asked for; by default all that the bundle has."""
    asked: list[Numbers] = ["int8"] if int8 else []
    if float32:
        asked.append("float32")
    if asked:
        return asked
    if network.quantisation is None:
        note(f"{network.name} is not quantised, so it is verified in float32 only; see offramp quantise")
        return ["float32"]
    return ["int8", "float32"]


def _forms(
    network: Bundle,
    samples: "np.ndarray",
    names: tuple[str, ...],
    kinds: "list[Numbers]",
    *,
    with_cases: bool,
) -> "list[Form]":
    from offramp.experiments.verified import forms_of, forms_of_cases

    return [*forms_of(network, samples, names, kinds), *(forms_of_cases(names) if with_cases else ())]


def _environment(names: Sequence[str]) -> dict[str, str]:
    from offramp.experiments.verified import tools_of

    ours = {"offramp": offramp.__version__, "python": platform.python_version(), "numpy": np.__version__}
    return ours | tools_of(names)


def _print(found: "Verified") -> None:
    """The main form, target by target; the others in all, or as far as they differ; and what was skipped."""
    from offramp.experiments.verified import findings, main_table

    main = found.held[0].form
    print_line(f"{main.name} on {found.samples}: {main.words}")
    print_wide(cells_table(main_table(found)), n_keys=1)
    for held in found.held:
        for rung in held.rungs:
            if rung.mismatches:
                name, words = held.form.name, held.form.words
                print_line(f"{name}, {words}, on {rung.name}: {rung.mismatches:,} numbers differ")
    for sentence in findings(found):
        print_line(sentence)
