"""offramp payload: how few bytes a sample a split network sends, and what that costs."""

import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich import box
from rich.table import Table

from offramp.cli import arguments
from offramp.cli.console import note, print_json, print_line, print_wide, progress, resumable
from offramp.cli.options import MAX_SEEDS, DataDir, ResultsFolder, ResultsPage, Workers
from offramp.cli.results import check_results, typed
from offramp.cli.tail_process import tail_process
from offramp.errors import ConfigError

if TYPE_CHECKING:
    from offramp.data import Dataset
    from offramp.experiments.payload import PayloadEvidence, Streamed, Studied

_DATA = ("mnist", "digits")
_BUDGETS = "12000,4000"


def payload(
    output: ResultsFolder = Path("offramp-payload"),
    data: Annotated[
        str, typer.Option(help="mnist, which the networks are meant for; or digits, to have a quick look.")
    ] = "mnist",
    data_dir: DataDir = None,
    budgets: Annotated[
        str, typer.Option(help="Most parameters on the device: 12000, 4000, or both with a comma between.")
    ] = _BUDGETS,
    seeds: Annotated[
        int, typer.Option(min=1, max=MAX_SEEDS, help="Train every network with so many seeds, from 0 on.")
    ] = 5,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training data.", show_default="by network")
    ] = None,
    risk: Annotated[
        float,
        typer.Option(
            min=1e-4,
            max=0.9999,
            callback=arguments.finite,
            help="Most accuracy that the exit may cost, as a share; certified.",
        ),
    ] = 0.005,
    confidence: Annotated[
        float,
        typer.Option(
            min=0.5, max=0.9999, callback=arguments.finite, help="That the exit costs no more than --risk."
        ),
    ] = 0.95,
    samples: Annotated[
        str, typer.Option(help="Test samples to send over a real wire, drawn at random; or all.")
    ] = "2000",
    workers: Workers = None,
    markdown: ResultsPage = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Measure how few bytes a sample crosses the wire, and what that costs in accuracy.

    For each budget a split network is trained. Validation samples choose the
    codec, calibration samples certify the exit's threshold, and then the test
    split is read once. The first seed's network answers test samples over a real
    wire too, its tail in a process of its own, and every byte is counted.
    Interrupted, the same command goes on where it was. The output folder gets
    results.json, results.csv and a bundle for each budget.

    [bold]Examples[/bold]

      offramp payload
      offramp payload --budgets 4000 --seeds 3 --samples all
      offramp payload --data-dir ~/mnist --markdown payload.md
    """
    for package in ("torch", "scipy", "matplotlib"):  # missing: say so now, not after the work
        import_module(package)
    from offramp.cli.environment import environment
    from offramp.data import SPLITS, load
    from offramp.experiments.payload import (
        PayloadEvidence,
        Plan,
        Pledge,
        network_of,
        study,
        write_payload,
        write_payload_page,
    )

    if data not in _DATA:
        raise ConfigError(f"the study has no networks for {data!r}; use {' or '.join(_DATA)}")
    wanted = dict.fromkeys(arguments.numbers(budgets, "--budgets"))
    if not wanted:
        raise ConfigError("no budget; name one, as in 12000")
    networks = [network_of(budget) for budget in wanted]
    plan = Plan(
        networks=tuple(one if epochs is None else one.with_epochs(epochs) for one in networks),
        seeds=tuple(range(seeds)),
        pledge=Pledge(risk=risk, confidence=confidence),
    )
    n_streamed = arguments.count(samples, "--samples")
    check_results(output, markdown)
    started = time.monotonic()
    loader = partial(load, data, data_dir=data_dir)
    with resumable(output, "**/checkpoint.safetensors", "networks/*"):
        studied = study(plan, loader, output, workers=workers, tell=note)
    dataset = loader(seed=plan.seeds[0])
    options = [
        ("--data", data, "mnist"),
        ("--budgets", budgets, _BUDGETS),
        ("--seeds", str(seeds), "5"),
        ("--epochs", str(epochs or ""), ""),
        ("--risk", f"{risk:g}", "0.005"),
        ("--confidence", f"{confidence:g}", "0.95"),
        ("--samples", samples, "2000"),
    ]
    evidence = PayloadEvidence(
        plan=plan,
        studied=tuple(studied),
        streamed=tuple(_streamed(studied, dataset, n_streamed)),
        data=dataset.name,
        sample_bytes=dataset.x[0].nbytes,
        n_of={name: len(dataset.splits[name]) for name in SPLITS},
        command=typed("offramp payload", options, markdown),
        seconds=time.monotonic() - started,
        environment=environment(),
    )
    written = write_payload(evidence, output)
    if markdown is not None:
        written += write_payload_page(evidence, markdown)
    if as_json:
        print_json(evidence.to_dict())
    else:
        _print(evidence)
    note(f"written: {', '.join(map(str, written))} and the bundles in {output}")


def _streamed(studied: "Sequence[Studied]", dataset: "Dataset", n_samples: int | None) -> "list[Streamed]":
    """The first seed's networks over a real wire: an unshaped link, whose bytes are counted."""
    from offramp.bundle import read
    from offramp.experiments.payload import BATCHES, MODES, streamed
    from offramp.runtime import ShapedLink

    raw, labels = dataset.split("test")
    drawn = np.random.default_rng(0).permutation(len(labels))[:n_samples]
    found = []
    for one in studied:
        bundle, budget = read(one.deployed), one.network.budget
        with tail_process(one.deployed) as (host, port), progress() as bar:
            for mode in MODES:
                task = bar.add_task(f"{bundle.name}, {mode}", total=len(BATCHES) * len(drawn))
                for batch in BATCHES:
                    with closing(ShapedLink(host, port)) as link:
                        found.append(
                            streamed(
                                bundle,
                                link,
                                raw[drawn],
                                labels[drawn],
                                budget=budget,
                                mode=mode,
                                batch=batch,
                                advance=partial(bar.advance, task),
                            )
                        )
    return found


def _print(evidence: "PayloadEvidence") -> None:
    """Tables, and what they say."""
    from offramp.experiments.payload import codec_table, findings, marked, system_table, wire_table

    codecs = [(f"codecs, {one.budget:,} parameters", codec_table(one)) for one in evidence.budgets]
    for title, lines in (
        ("the system", system_table(evidence)),
        *codecs,
        ("on the wire", wire_table(evidence)),
    ):
        head, *body = marked(lines)
        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=title, title_justify="left"
        )
        for name in head:
            is_text = name in ("codec", "fitted to", "mode", "threshold")
            table.add_column(name, justify="left" if is_text else "right", no_wrap=True)
        for cells in body:
            table.add_row(*cells)
        print_wide(table, n_keys=3 if head[-1] == "times fewer" else 1)
    for sentence in findings(evidence):
        print_line(sentence)
