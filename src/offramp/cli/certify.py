"""offramp certify: certified thresholds held against their promises."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from offramp.cli.console import check_file, make_folder, note, print_json, print_line, print_wide, resumable
from offramp.cli.options import Data, DataDir, ResultsPage, Workers
from offramp.cli.results import check_page, typed

if TYPE_CHECKING:
    from offramp.experiments.certificates import Study

_N, _TRIALS = 5000, 1000


def certify(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the network's checkpoint.")
    ] = Path("offramp-certify"),
    data: Data = "mnist",
    data_dir: DataDir = None,
    trials: Annotated[int, typer.Option(min=1, max=1_000_000, help="Calibration sets to draw.")] = _TRIALS,
    samples: Annotated[
        int, typer.Option(min=2, max=1_000_000, help="In each of them; a fifth is not certified on.")
    ] = _N,
    seed: Annotated[int, typer.Option(min=0, help="Decides splits, network and draws.")] = 0,
    workers: Workers = None,
    json_file: Annotated[
        Path | None,
        typer.Option(help="Write all figures here as JSON.", show_default="certify.json in the folder"),
    ] = None,
    markdown: ResultsPage = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Hold certified thresholds against their promises, a thousand times.

    A small split network is trained. From its answers to samples that it never saw,
    calibration sets are drawn again and again; on each, every method certifies a
    threshold, and the risk that it brings is counted on all of the answers. Where
    MAPIE is installed, its risk control gets the same samples.

    [bold]Examples[/bold]

      offramp certify
      offramp certify --data digits --samples 3000 --trials 200
      offramp certify --data-dir ~/mnist --json-file certify.json --markdown certify.md
    """
    for package in ("torch", "matplotlib"):  # missing: say so now, not after the work
        import_module(package)
    from offramp.cli.environment import environment
    from offramp.data import load
    from offramp.experiments.certificates import (
        Settings,
        study_certificates,
        write_study,
        write_study_page,
    )

    make_folder(output)
    json_path = json_file or output / "certify.json"
    check_file(json_path)
    check_page(markdown)
    options = [("--data", data, "mnist"), ("--trials", str(trials), str(_TRIALS))]
    options += [("--samples", str(samples), str(_N)), ("--seed", str(seed), "0")]
    with resumable(output, "**/checkpoint.safetensors"):
        study = study_certificates(
            load(data, data_dir=data_dir, seed=seed),
            Settings(n=samples, trials=trials, seed=seed),
            output,
            command=typed("offramp certify", options, markdown),
            environment=environment(),
            workers=workers,
        )
    written = write_study(study, json_path)
    if markdown is not None:
        written += write_study_page(study, markdown)
    if as_json:
        print_json(study.to_dict())
    else:
        _print(study)
    note(f"written: {', '.join(map(str, written))}")


def _print(study: "Study") -> None:
    """What each way did, measure by measure, and what that says."""
    from offramp.exits.guarantee import MEASURES
    from offramp.experiments.certificates import findings, table

    for measure in MEASURES:
        head, *body = table(study, measure)
        shown = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=measure, title_justify="left"
        )
        for name in head:
            shown.add_column(name, justify="left" if name in ("method", "bound") else "right", no_wrap=True)
        for cells in body:
            shown.add_row(*cells)
        print_wide(shown, n_keys=3)
    for sentence in findings(study):
        print_line(sentence.replace("`", ""))
