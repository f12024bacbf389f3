"""offramp search: which networks are worth their parameters."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich import box
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from offramp.cli import arguments
from offramp.cli.config import config_text
from offramp.cli.console import err, make_folder, note, notes_of, print_json, print_line, print_wide
from offramp.cli.options import Data, DataDir, Label, TeacherBundle, Workers
from offramp.errors import ConfigError

if TYPE_CHECKING:
    from offramp.search import Budget, Entry, Found, Settings, Standing

_TRIALS, _RECIPE = 96, "cosine"


def search(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder for the results; a search there goes on.", show_default=False
        ),
    ],
    data: Data = "digits",
    data_dir: DataDir = None,
    label: Label = None,
    max_params: Annotated[
        int | None, typer.Option(min=1, help="The most parameters of the whole network.", show_default=False)
    ] = None,
    max_bytes: Annotated[
        int | None,
        typer.Option(min=1, help="The most bytes of its weights, biases and tables.", show_default=False),
    ] = None,
    max_macs: Annotated[
        int | None, typer.Option(min=1, help="The most multiply-adds for a sample.", show_default=False)
    ] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Search for the smallest network with this validation accuracy, as in 0.96.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Networks to try.", show_default=f"{_TRIALS}; no limit with --minutes"),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Stop after so long.", show_default="no limit")
    ] = None,
    epochs: Annotated[
        str, typer.Option(help="Of all networks, of their best third, of that one's best third ...")
    ] = "3,9,27",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Samples per step.", show_default="by the data")
    ] = None,
    distill: Annotated[
        bool,
        typer.Option(help="Let networks learn from a teacher too, if they do better with it."),
    ] = True,
    teacher: TeacherBundle = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Decides splits, proposals, patterns, weights and order.")
    ] = 0,
    workers: Workers = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the front as JSON.")] = False,
) -> None:
    """Search for the networks with the best accuracy for their parameters, under a budget or for a goal.

    Widths, out-degrees, blocks, dense junctions, the pooling of images and how
    much is learnt from a large teacher beside the labels are chosen by
    training: all for a few epochs, the better ones for longer.
    Accuracies are of the validation split; the test set is never read. Writes
    the networks that no other beats as files for offramp train --config. Without
    a goal, networks below a quarter of the limits are not tried. Interrupted,
    the same command goes on where it was.

    [bold]Examples[/bold]

      offramp search --data mnist --max-params 4000 -o small
      offramp search --data mnist --min-accuracy 0.96 --minutes 10 -o goal
      offramp train --config small/front/3970.toml -o m
    """
    from offramp.cli.order import fitting_batch
    from offramp.data import load
    from offramp.search import Budget, Settings
    from offramp.search import search as find
    from offramp.search.settings import DISTIL_WEIGHTS
    from offramp.system.lesson import read_teacher
    from offramp.train import RECIPES

    budget = Budget(max_params=max_params, max_bytes=max_bytes, max_macs=max_macs, min_accuracy=min_accuracy)
    dataset = load(data, data_dir=data_dir, label=label, seed=seed)
    settings = Settings(
        n_trials=_TRIALS if trials is None and minutes is None else trials,
        time_limit_s=None if minutes is None else 60 * arguments.finite(minutes),
        epochs=arguments.numbers(epochs, "--epochs"),
        recipe=_RECIPE,
        batch_size=batch_size or fitting_batch(dataset, RECIPES[_RECIPE].batch_size),
        seed=seed,
        workers=workers,
        distill_weights=DISTIL_WEIGHTS if distill else (0.0,),
    )
    if teacher is not None and not distill:
        raise ConfigError("--teacher is for learning from a teacher; leave out --no-distill, or it")
    tutor = None if teacher is None else read_teacher(teacher, dataset, RECIPES[_RECIPE])
    make_folder(output)
    with _progress() as watch, notes_of("offramp.search"):
        found = find(dataset, budget, settings, teacher=tutor, folder=output, watch=watch)
    options = {"data": data} | ({} if label is None else {"label": label})
    report = _write(found, output, budget, settings, options, teacher)
    if as_json:
        print_json(report)
    else:
        _print(found, output, budget)


def _write(
    found: "Found",
    output: Path,
    budget: "Budget",
    settings: "Settings",
    options: dict[str, Any],
    teacher: Path | None,
) -> dict[str, Any]:
    """Write results, picture and configurations; gives the summary, ready for JSON."""
    from offramp.search.figure import pareto_png
    from offramp.search.report import as_csv, network_record, records, train_options
    from offramp.search.results import RESULTS

    tried = records(found)
    common = options | {"recipe": settings.recipe, "batch-size": settings.batch_size, "seed": settings.seed}
    head = {"data": options["data"], "budget": asdict(budget), "settings": asdict(settings)}
    (output / RESULTS).write_bytes(
        msgspec.json.format(msgspec.json.encode(head | {"networks": tried}), indent=1) + b"\n"
    )
    (output / "results.csv").write_text(as_csv(tried), encoding="utf-8")
    title = f"{options['data']}: {len(found.entries):,} networks"
    (output / "pareto.png").write_bytes(pareto_png(found, budget, title=title))
    configs = output / "front"
    shutil.rmtree(configs, ignore_errors=True)  # of networks that have been beaten since
    configs.mkdir()
    front = []
    for entry in found.front:
        path = configs / f"{entry.candidate.n_params}.toml"
        taught = teacher is not None and entry.candidate.distill_weight > 0
        own = train_options(entry, temperature=settings.temperature) | (
            {"teacher": str(teacher)} if taught else {}
        )
        text = config_text(own | common, comment=_comment(entry))
        path.write_text(text, encoding="utf-8")
        front.append(network_record(entry, found.n_validation) | {"config": str(path)})
    chosen = None if found.chosen is None else found.chosen.candidate.n_params
    return head | {"n_networks": len(tried), "front": front, "chosen": chosen}


def _comment(entry: "Entry") -> str:
    return (
        f"Found by offramp search: {entry.candidate.n_params} parameters, validation accuracy"
        f" {entry.last.accuracy:.2%} after {entry.last.epochs} epochs.\n"
        "For offramp train --config; train adds an exit."
    )


def _print(found: "Found", output: Path, budget: "Budget") -> None:
    from offramp.search.candidate import spelled
    from offramp.search.figure import margin
    from offramp.search.report import degrees_words

    table = Table(
        box=box.SIMPLE_HEAD, title=f"front of {len(found.entries):,} networks", title_justify="left"
    )
    for name in ("parameters", "validation %", "bytes", "MACs"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("neurons", "out-degrees", "blocks", "pool", "teacher", "epochs"):
        table.add_column(name, no_wrap=True)
    for entry in found.front:
        candidate, last = entry.candidate, entry.last
        accuracy = f"{100 * last.accuracy:.2f} ± {100 * margin(last.accuracy, found.n_validation):.2f}"
        blocks = ",".join("full" if block is None else f"{block[0]}x{block[1]}" for block in candidate.blocks)
        taught = f"{candidate.distill_weight:g}" if candidate.distill_weight else "-"
        numbers = (f"{candidate.n_params:,}", accuracy, f"{candidate.n_bytes:,}", f"{candidate.n_macs:,}")
        shape = (spelled(candidate.neurons), degrees_words(candidate), blocks)
        table.add_row(*numbers, *shape, str(candidate.pool), taught, str(last.epochs))
    print_wide(table)
    if any(entry.candidate.distill_weight for entry in found.front):
        print_line("teacher: its share of what is learnt; the labels' is the rest")
    print_line(
        f"± is the 95% interval of {found.n_validation:,} validation samples; the best of many: expect less"
    )
    best = found.front[-1]
    if budget.min_accuracy is not None and found.chosen is None:
        print_line(f"no network reaches {budget.min_accuracy:.2%}; the best has {best.last.accuracy:.2%}")
    entry = found.chosen or best
    if found.chosen is not None:
        print_line(f"smallest with {budget.min_accuracy:.2%}: {entry.candidate.n_params:,} parameters")
    config = output / "front" / f"{entry.candidate.n_params}.toml"
    print_line(f"written to {output}: pareto.png, results.json, results.csv, front; next:")
    print_line(f"  offramp train --config {config} -o m")


@contextmanager
def _progress() -> "Iterator[Callable[[Standing], None]]":
    """A bar on standard error, silent where that is no terminal; and what an interruption leaves."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("time left {task.fields[left]}"),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    task = bar.add_task("searching", total=1.0, left="-:--:--")
    began_s = time.monotonic()

    def watch(standing: "Standing") -> None:
        left = str(timedelta(seconds=round(standing.left_s)))
        words = f"{standing.n_networks:,} networks, best {standing.best_accuracy:.2%}"
        bar.update(task, completed=standing.share, description=words, left=left)

    try:
        with bar:
            yield watch
    except KeyboardInterrupt:
        note(f"interrupted after {time.monotonic() - began_s:.0f} s; the same command goes on where it was")
        raise
