"""One network trained with several seeds, several processes at once. Imports Torch."""

import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from offramp.bundle import check_writable
from offramp.bundle.store import MANIFEST
from offramp.cli.console import note, print_line, print_wide
from offramp.cli.order import Order, bundle_name, discard
from offramp.errors import ConfigError
from offramp.experiments import spread
from offramp.system.design import untrained
from offramp.system.lesson import teacher_folder
from offramp.train import Watch, Work, expected_s, run_each, teacher_job, train_teacher

_COLUMNS = (("seed", ""), ("tail", "%"), ("exit", "%"), ("exits", "%"), ("threshold", ""), ("trained", "s"))


def train_seeds(
    order: Order,
    folder: Path,
    seeds: Sequence[int],
    checkpoint: Path,
    *,
    workers: int | None,
    overwrite: bool,
) -> dict[str, Any]:
    """Train with each seed and write one bundle for each into the folder; gives a report, ready for JSON.

    Until all are done, every seed keeps its checkpoint: it says that the seed's bundle is this command's own
    to replace, and a finished seed comes back from it at once.
    """
    started = time.monotonic()
    _check_folder(folder, seeds, checkpoint, overwrite=overwrite)
    expected = _expected_s(order, seeds[0])
    if order.lesson is not None and order.lesson.teacher is None:
        _train_teachers(order, seeds, checkpoint, workers=workers)
    works = [
        Work(f"seed {seed}", partial(_train, order, folder, seed, checkpoint, overwrite), expected)
        for seed in seeds
    ]
    done: dict[int, dict[str, Any]] = {}
    with closing(run_each(works, workers=workers, threads=order.threads)) as runs:
        for index, summary in runs:
            done[index] = summary
            note(_told(seeds[index], summary))
    for seed in seeds:
        discard(checkpoint / _name(seed))
    return {
        "folder": str(folder),
        "seconds": time.monotonic() - started,
        "validation_accuracy": {
            part: spread([summary["validation_accuracy"][part] for summary in done.values()])._asdict()
            for part in ("exit", "tail")
        },
        "seeds": [{"seed": seed} | done[index] for index, seed in enumerate(seeds)],
    }


def print_seeds(report: dict[str, Any]) -> None:
    """A table of the seeds, and what they say together."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for title, unit in _COLUMNS:
        header = f"{title}\n[dim]{unit}[/dim]"
        table.add_column(header, justify="right", vertical="top", no_wrap=True)
    for one in report["seeds"]:
        accuracy = one["validation_accuracy"]
        table.add_row(
            str(one["seed"]),
            f"{100 * accuracy['tail']:.2f}",
            f"{100 * accuracy['exit']:.2f}",
            f"{100 * one['calibration']['exit_rate']:.1f}",
            f"{one['threshold']:.4g}",
            f"{one['seconds']:.1f}",
        )
    print_wide(table, n_keys=1)
    tail, exit = (report["validation_accuracy"][part] for part in ("tail", "exit"))
    print_line(
        f"validation accuracy, mean of {len(report['seeds'])} seeds: tail {_points(tail)}, exit alone"
        f" {_points(exit)} (95% interval, Student's t)"
    )
    names = [Path(one["bundle"]).name for one in report["seeds"]]
    print_line(f"written to {report['folder']}: {', '.join(names)}; {report['seconds']:.1f} s in all")


def _told(seed: int, summary: dict[str, Any]) -> str:
    accuracy = summary["validation_accuracy"]["tail"]
    return f"seed {seed}: trained in {summary['seconds']:.1f} s, validation accuracy {accuracy:.2%}"


def _points(accuracy: dict[str, float]) -> str:
    return f"{100 * accuracy['mean']:.2f} ± {100 * accuracy['margin']:.2f} %"


def _name(seed: int) -> str:
    return f"seed{seed}"


def _check_folder(folder: Path, seeds: Sequence[int], checkpoint: Path, *, overwrite: bool) -> None:
    """Refuse now what could not be written after minutes of training."""
    if not folder.is_dir():
        check_writable(folder)
        return
    if (folder / MANIFEST).exists():
        raise ConfigError(
            f"{folder}: is a bundle itself; with --seeds give a folder for several, or a new one"
        )
    for seed in seeds:
        ours = (checkpoint / _name(seed)).is_dir()
        check_writable(folder / _name(seed), overwrite=overwrite or ours)


def _expected_s(order: Order, seed: int) -> float:
    """Seconds that a seed may take; building its network refuses, before any work, what cannot be trained."""
    dataset = order.load(seed)
    model, _ = untrained(dataset, order.design, seed=seed)
    return expected_s(model, dataset, order.recipe_for(dataset))


def _train_teachers(order: Order, seeds: Sequence[int], checkpoint: Path, *, workers: int | None) -> None:
    """One for each seed, since a seed decides which samples are for training; students find them finished."""
    dataset = order.load(seeds[0])
    job = teacher_job(dataset, order.recipe_for(dataset))
    expected = expected_s(job.model, dataset, job.recipe)
    works = [
        Work(f"teacher of seed {seed}", partial(_teach, order, seed, checkpoint / _name(seed)), expected)
        for seed in seeds
    ]
    with closing(run_each(works, workers=workers, threads=order.threads)) as runs:
        for index, accuracy in runs:
            note(f"teacher of seed {seeds[index]}: validation accuracy {accuracy:.2%}")


def _teach(order: Order, seed: int, checkpoint: Path, shared: None, watch: Watch) -> float:
    """In a worker: the teacher of one seed, kept in its checkpoint; gives its validation accuracy."""
    dataset = order.load(seed)
    recipe, folder = order.recipe_for(dataset), teacher_folder(checkpoint)
    _, history = train_teacher(dataset, recipe, seed=seed, checkpoint=folder, progress=watch)
    return history.epochs[-1].tail_accuracy


def _train(
    order: Order,
    folder: Path,
    seed: int,
    checkpoint: Path,
    overwrite: bool,
    shared: None,
    watch: Watch,
) -> dict[str, Any]:
    """In a worker: one seed from its data to its bundle."""
    own = checkpoint / _name(seed)
    name = f"{bundle_name(folder)[:80]}-{_name(seed)}"
    ours = overwrite or own.is_dir()
    return order.train(name, folder / _name(seed), seed, own, overwrite=ours, progress=watch)
