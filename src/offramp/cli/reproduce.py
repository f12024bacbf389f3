"""offramp reproduce: the paper's tables, trained again."""

import time
from collections.abc import Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.table import Table

from offramp.cli import arguments
from offramp.cli.console import note, print_json, print_line, print_wide, resumable
from offramp.cli.options import MAX_SEEDS, DataDir, ResultsFolder, ResultsPage, Workers
from offramp.cli.results import check_results, typed

if TYPE_CHECKING:
    from offramp.experiments import Evidence, PaperRow, RowEvidence, Run

_WORDS = ("table", "type", "neurons", "out-degrees", "verdict")  # columns


def reproduce(
    output: ResultsFolder = Path("offramp-paper"),
    data_dir: DataDir = None,
    rows: Annotated[
        str,
        typer.Option(
            help="Which rows of the tables: numbers 1 to 30, ranges as 5-7, sparse, dense, deep, shallow,"
            " table1, table2, all; with commas between."
        ),
    ] = "all",
    seeds: Annotated[
        int, typer.Option(min=1, max=MAX_SEEDS, help="Train every row with so many seeds, from 0 on.")
    ] = 5,
    recipe: Annotated[
        str, typer.Option(help="paper: as published; or cosine. Both on all 60,000 training images here.")
    ] = "paper",
    pattern: Annotated[
        str, typer.Option(help="Of the sparse rows: random as published, block, affine, clash_free or auto.")
    ] = "random",
    block: Annotated[
        str | None,
        typer.Option(
            help="Inputs x outputs connected as one, made smaller where the degrees demand it.",
            show_default="4x4 for pattern block",
        ),
    ] = None,
    workers: Workers = None,
    markdown: ResultsPage = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Train the 30 networks of the paper's Tables I and II and hold them against it.

    Every row is trained on MNIST with several seeds, several networks at once;
    the test images are read once for each, after its last epoch. Interrupted,
    the same command goes on where it was; with more --seeds it adds to what is
    there. The output folder gets results.json, results.csv and report.html with
    Figures 3, 4 and 5.

    [bold]Examples[/bold]

      offramp reproduce
      offramp reproduce --rows sparse --seeds 3
      offramp reproduce --rows 3,6,9 --recipe cosine --pattern block --block 4x4
      offramp reproduce --data-dir ~/mnist --markdown paper.md
    """
    for package in ("torch", "jinja2", "matplotlib"):  # missing: say so now, not after the work
        import_module(package)
    from offramp.cli.environment import environment
    from offramp.data import load
    from offramp.experiments import (
        Evidence,
        Settings,
        gather,
        recipe_named,
        select_rows,
        write_files,
        write_markdown,
    )

    chosen = select_rows(rows)
    wanted = None if block is None else arguments.block(block, "--block")
    settings = Settings(recipe=recipe_named(recipe), pattern=pattern, block=wanted)
    check_results(output, markdown)
    started = time.monotonic()
    dataset = load("mnist", data_dir=data_dir)
    with resumable(output, "**/checkpoint.safetensors", "runs/*.json"):
        runs = _trained(chosen, range(seeds), settings, dataset, output, workers)
    options = [("--rows", rows, "all"), ("--seeds", str(seeds), ""), ("--recipe", recipe, "paper")]
    options += [("--pattern", pattern, "random"), ("--block", block or "", "")]
    evidence = Evidence(
        rows=gather(chosen, runs),
        settings=settings,
        seeds=tuple(range(seeds)),
        command=typed("offramp reproduce", options, markdown),
        seconds=time.monotonic() - started,
        environment=environment(),
    )
    written = write_files(evidence, output)
    if markdown is not None:
        written += write_markdown(evidence, markdown)
    if as_json:
        print_json(evidence.to_dict())
    else:
        _print(evidence)
    note(f"written: {', '.join(map(str, written))}")


def _trained(
    rows: "Sequence[PaperRow]",
    seeds: Sequence[int],
    settings: Any,
    dataset: Any,
    output: Path,
    workers: int | None,
) -> "list[Run]":
    """All runs; a line for people whenever a row is complete."""
    from offramp.experiments import RowEvidence
    from offramp.experiments import reproduce as train_rows

    by_number = {row.number: row for row in rows}
    done: dict[int, list[Run]] = {row.number: [] for row in rows}
    with closing(train_rows(rows, seeds, settings, dataset, output, workers=workers)) as runs:
        for run in runs:
            done[run.row].append(run)
            if len(done[run.row]) == len(seeds):
                note(_told(RowEvidence(by_number[run.row], tuple(done[run.row]))))
    return [run for row in rows for run in done[row.number]]


def _told(evidence: "RowEvidence") -> str:
    from offramp.experiments import accuracy_cell

    row = evidence.row
    return (
        f"row {row.number}, {row.kind}, {row.parameters:,} parameters: {accuracy_cell(evidence)} %,"
        f" paper {row.accuracy_percent:.2f}: {evidence.verdict}"
    )


def _print(evidence: "Evidence") -> None:
    """The table, and what is to be known to read it."""
    from offramp.experiments import COLUMNS, VERDICTS, cells, misprint_words

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for title, _ in COLUMNS:
        justify: Literal["left", "right"] = "left" if title in _WORDS else "right"
        table.add_column(title, justify=justify, no_wrap=True)
    for one, following in zip(evidence.rows, [*evidence.rows[1:], None], strict=True):
        table.add_row(*cells(one))
        if following is not None and following.row.table != one.row.table:
            table.add_section()
    print_wide(table, n_keys=1)
    for name in dict.fromkeys(one.verdict for one in evidence.rows):
        print_line(f"{name}: {VERDICTS[name]}")
    if evidence.misprints:
        print_line(misprint_words(evidence.misprints))
    settings = evidence.settings
    print_line(
        f"seeds: {len(evidence.seeds)}, recipe {settings.recipe.name}, pattern {settings.pattern};"
        f" {evidence.train_s:.0f} s of training, {evidence.seconds:.0f} s in this call"
    )
