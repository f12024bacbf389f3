"""offramp compare: the paper's sparse networks against everything they should be held against."""

import time
from collections.abc import Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from offramp.cli.console import note, print_json, print_line, print_wide, resumable
from offramp.cli.options import MAX_SEEDS, DataDir, ResultsFolder, ResultsPage, Workers
from offramp.cli.results import check_results, typed

if TYPE_CHECKING:
    from offramp.experiments import PaperRow
    from offramp.experiments.rivals import Comparison, Rival
    from offramp.train import Recipe

_ROWS = "3,6,9,12,15,27,30"


def compare(
    output: ResultsFolder = Path("offramp-comparison"),
    data_dir: DataDir = None,
    rows: Annotated[
        str,
        typer.Option(help="Sparse rows of the paper: numbers, sparse for all ten; with commas between."),
    ] = _ROWS,
    seeds: Annotated[
        int, typer.Option(min=1, max=MAX_SEEDS, help="Train every network with so many seeds, from 0 on.")
    ] = 5,
    recipe: Annotated[
        str, typer.Option(help="paper: as published; or cosine. Both on all 60,000 training images here.")
    ] = "paper",
    workers: Workers = None,
    markdown: ResultsPage = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Hold sparse networks of the paper against all their rivals.

    Each row is trained on MNIST with random, block, affine and clash-free
    patterns; beside it baselines of as many edges (unstructured, pruned after
    training, RigL), dense networks of as many parameters, and sparse and dense
    ones on pooled images: same recipe, same seeds. The test images are read once
    for each network, after its last epoch. Interrupted, the same command goes on
    where it was. The output folder gets results.json and results.csv.

    [bold]Examples[/bold]

      offramp compare
      offramp compare --rows 3,6 --seeds 3 --recipe cosine
      offramp compare --data-dir ~/mnist --markdown comparisons.md
    """
    for package in ("torch", "matplotlib"):  # missing: say so now, not after the work
        import_module(package)
    from offramp.cli.environment import environment
    from offramp.data import load
    from offramp.experiments import recipe_named, select_rows
    from offramp.experiments.rivals import (
        Comparison,
        contenders,
        write_comparison,
        write_comparison_page,
    )

    chosen = select_rows(rows)
    for row in chosen:
        contenders(row)  # refuses what cannot be compared
    how = recipe_named(recipe)
    check_results(output, markdown)
    started = time.monotonic()
    dataset = load("mnist", data_dir=data_dir)
    with resumable(output, "**/checkpoint.safetensors", "runs/*.json"):
        runs = _trained(chosen, range(seeds), how, dataset, output, workers)
    options = [("--rows", rows, _ROWS), ("--seeds", str(seeds), ""), ("--recipe", recipe, "paper")]
    comparison = Comparison(
        rows=chosen,
        runs=tuple(runs),
        recipe=how,
        seeds=tuple(range(seeds)),
        command=typed("offramp compare", options, markdown),
        seconds=time.monotonic() - started,
        environment=environment(),
    )
    written = write_comparison(comparison, output)
    if markdown is not None:
        written += write_comparison_page(comparison, markdown)
    if as_json:
        print_json(comparison.to_dict())
    else:
        _print(comparison)
    note(f"written: {', '.join(map(str, written))}")


def _trained(
    rows: "Sequence[PaperRow]",
    seeds: Sequence[int],
    recipe: "Recipe",
    dataset: Any,
    output: Path,
    workers: int | None,
) -> "list[Rival]":
    """All runs, by row, method and seed; a line for people whenever a method is through with a row."""
    from offramp.experiments import spread
    from offramp.experiments.rivals import METHODS
    from offramp.experiments.rivals import compare as train
    from offramp.experiments.words import spread_words

    done: dict[tuple[int, str], list[Rival]] = {(row.number, name): [] for row in rows for name in METHODS}
    with closing(train(rows, seeds, recipe, dataset, output, workers=workers)) as runs:
        for run in runs:
            there = done[run.row, run.method]
            there.append(run)
            if len(there) == len(seeds):
                accuracy = spread_words(spread([one.accuracy_percent for one in there]))
                note(f"row {run.row}, {run.method}, {run.parameters:,} parameters: {accuracy} %")
    return [run for there in done.values() for run in sorted(there, key=lambda run: run.seed)]


def _print(comparison: "Comparison") -> None:
    """Accuracies, differences, and what they say."""
    from offramp.experiments.rivals import accuracy_table, differences_table, findings

    for title, lines in (
        ("test accuracy, %", accuracy_table(comparison)),
        ("points more than random", differences_table(comparison)),
    ):
        head, *body = lines
        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=title, title_justify="left"
        )
        for name in head:
            table.add_column(name, justify="left" if name in ("method", "kind") else "right", no_wrap=True)
        for cells in body:
            table.add_row(*cells)
        print_wide(table, n_keys=1)
    for sentence in findings(comparison):
        print_line(sentence.replace("`", ""))
