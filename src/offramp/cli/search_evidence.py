"""offramp search-evidence: what searches found against the paper's dense networks."""

import time
from collections.abc import Mapping, Sequence
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
from offramp.errors import ConfigError

if TYPE_CHECKING:
    from offramp.experiments import PaperRow, Spread
    from offramp.experiments.searched import Beside, Find, FoundRun, SearchTold
    from offramp.search import Results
    from offramp.train import Recipe

_DATA, _RECIPE = "mnist", "cosine"  # of the paper's tables, and of searches


def search_evidence(
    searches: Annotated[
        list[Path],
        typer.Argument(
            metavar="SEARCH",
            help="Folders that offramp search --data mnist wrote, one or more.",
            show_default=False,
        ),
    ],
    output: ResultsFolder = Path("offramp-search-evidence"),
    data_dir: DataDir = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=MAX_SEEDS, help="Train every network with so many seeds, from 0 on.")
    ] = 5,
    reproduced: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="The .csv of offramp reproduce: our own dense rows stand beside the paper's then.",
            show_default=False,
        ),
    ] = None,
    workers: Workers = None,
    markdown: ResultsPage = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Hold networks that offramp search found against the paper's 20 dense ones.

    For each dense row of the paper, the network with at most a quarter of its
    parameters that the searches trained to the highest rung with the best
    validation accuracy is trained again on all 60,000 training images with
    several seeds, as it was found: pooled, learning from a teacher or not. The
    test images are read once for each, after its last epoch. Interrupted, the
    same command goes on where it was. The output folder gets results.json and
    search.csv.

    [bold]Examples[/bold]

      offramp search --data mnist --max-params 620 --minutes 8 -o small
      offramp search --data mnist --max-params 2100 --minutes 8 -o middle
      offramp search --data mnist --max-params 8320 --minutes 8 -o large
      offramp search-evidence small middle large --markdown search.md
    """
    for package in ("torch", "matplotlib"):  # missing: say so now, not after the work
        import_module(package)
    from offramp.cli.environment import environment
    from offramp.data import load
    from offramp.experiments import recipe_named, select_rows
    from offramp.experiments.searched import (
        Beside,
        choose,
        gather_found,
        read_reproduced,
        write_found,
        write_found_page,
    )
    from offramp.search import read_results

    results = {folder: read_results(folder) for folder in searches}
    _check_alike(results)
    known = {} if reproduced is None else read_reproduced(reproduced)
    check_results(output, markdown)
    rows = select_rows("dense")
    chosen = choose([find for result in results.values() for find in _finds(result)], rows)
    if not chosen:
        raise ConfigError(
            "none of these searches trained a network to its highest rung that has at most a quarter of the"
            " parameters of a dense row; search for longer, or with --max-params 8320 or less"
        )
    started = time.monotonic()
    dataset, recipe = load(_DATA, data_dir=data_dir), recipe_named(_RECIPE)
    with resumable(output, "**/checkpoint.safetensors", "runs/*.json"):
        runs = _trained(rows, chosen, range(seeds), recipe, dataset, output, workers)
    names = " ".join(folder.name if folder.is_absolute() else str(folder) for folder in searches)
    beside = Beside(
        rows=gather_found(rows, chosen, runs, known),
        searches=tuple(map(_search_told, results.values())),
        recipe=recipe,
        seeds=tuple(range(seeds)),
        command=typed(f"offramp search-evidence {names}", _options(seeds, reproduced), markdown),
        seconds=time.monotonic() - started,
        environment=environment(),
    )
    written = write_found(beside, output)
    if markdown is not None:
        written += write_found_page(beside, markdown)
    if as_json:
        print_json(beside.to_dict())
    else:
        _print(beside)
    note(f"written: {', '.join(map(str, written))}")


def _check_alike(results: "Mapping[Path, Results]") -> None:
    """Refuse searches of other data, and such whose accuracies are after different epochs."""
    for folder, result in results.items():
        if result.data != _DATA:
            raise ConfigError(
                f"{folder}: searched on {result.data}, but the paper's rows are of MNIST;"
                " search with --data mnist"
            )
    tops = {folder: result.settings.epochs[-1] for folder, result in results.items()}
    if len(set(tops.values())) > 1:
        told = ", ".join(f"{epochs} in {folder}" for folder, epochs in tops.items())
        raise ConfigError(
            f"the highest rungs have different epochs ({told}), so their accuracies cannot be compared;"
            " search with the same --epochs"
        )


def _finds(result: "Results") -> "list[Find]":
    """The networks of the highest rung, as the experiment knows them."""
    from offramp.experiments.searched import Find, Network

    return [
        Find(
            Network(
                candidate.neurons,
                candidate.out_degrees,
                candidate.block,
                candidate.pool,
                candidate.distill_weight,
                result.settings.temperature,
            ),
            accuracy,
        )
        for candidate, accuracy in result.highest()
    ]


def _search_told(result: "Results") -> "SearchTold":
    from offramp.experiments.searched import SearchTold

    train_s = sum(network.train_s for network in result.networks)
    return SearchTold(result.command(), len(result.networks), len(result.highest()), train_s)


def _trained(
    rows: "Sequence[PaperRow]",
    chosen: "Mapping[int, Find]",
    seeds: Sequence[int],
    recipe: "Recipe",
    dataset: Any,
    output: Path,
    workers: int | None,
) -> "list[FoundRun]":
    """All runs; a line for people whenever a network is through with all seeds, for each of its rows."""
    from offramp.experiments.searched import gather_found, told, train_found

    runs: list[FoundRun] = []
    none: dict[tuple[int, tuple[int, ...]], Spread] = {}
    networks = [find.network for find in chosen.values()]
    with closing(train_found(networks, seeds, recipe, dataset, output, workers=workers)) as trained:
        for run in trained:
            runs.append(run)
            own = [one for one in runs if one.network == run.network]
            if len(own) == len(seeds):
                for row in rows:
                    if row.number in chosen and chosen[row.number].network == run.network:
                        (beside,) = gather_found([row], chosen, own, none)
                        note(told(beside))
    return runs


def _options(seeds: int, reproduced: Path | None) -> list[tuple[str, str, str]]:
    place = "" if reproduced is None else reproduced.name if reproduced.is_absolute() else str(reproduced)
    return [("--seeds", str(seeds), ""), ("--reproduced", place, "")]


def _print(beside: "Beside") -> None:
    """The tables, and what they say."""
    from offramp.experiments.searched import findings, network_table, row_table

    for lines in (row_table(beside), network_table(beside)):
        head, *body = lines
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for name in head:
            words = name in ("dense network", "neurons", "out-degrees", "found", "verdict")
            table.add_column(name, justify="left" if words else "right", no_wrap=True)
        for cells in body:
            table.add_row(*cells)
        print_wide(table, n_keys=1)
    for sentence in findings(beside):
        print_line(sentence.replace("`", ""))
