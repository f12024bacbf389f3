"""offramp demo: three networks, four modes, one table."""

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offramp.bundle import check_writable
from offramp.cli import arguments
from offramp.cli.console import check_file, make_folder, note, print_wide
from offramp.cli.options import MAX_DEADLINE_S, MAX_SEEDS, MAX_THREADS, DataDir
from offramp.cli.results import check_page, typed
from offramp.errors import ConfigError
from offramp.report import (
    accuracy_margin,
    html_page,
    networks_table,
    results_table,
    to_json,
    write_markdown,
)

if TYPE_CHECKING:
    from offramp.cli.contenders import Designs


@dataclass(frozen=True)
class Trio:
    """Three networks for one data set: widths, the sparse head, and how long all are trained.

    Chosen by the accuracy on validation and calibration samples over many seeds, never by test samples.
    """

    neurons: tuple[int, ...]
    out_degree: int  # of the sparse head, one junction
    block: tuple[int, int]
    dense_widths: tuple[int, ...]  # of heads, of which one is as accurate as the sparse one
    epochs: int
    batch_size: int

    def designs(self) -> "Designs":
        """The networks; the small dense head has about as many parameters as the sparse one."""
        from offramp.cli.contenders import Designs
        from offramp.system.design import Design

        n_in, width, *rest = self.neurons
        sparse_parameters = n_in * self.out_degree + width
        all_dense = [None] * (len(self.neurons) - 1)

        def dense(width: int) -> Design:
            return Design(neurons=(n_in, width, *rest), out_degrees=all_dense, codec=CODEC)

        sparse = Design(
            neurons=self.neurons,
            out_degrees=[self.out_degree, *all_dense[1:]],
            block=self.block,
            codec=CODEC,
        )
        small_dense = dense(round(sparse_parameters / (n_in + 1)))
        return Designs(
            sparse=sparse, small_dense=small_dense, dense=[dense(width) for width in self.dense_widths]
        )


CODEC = "float16"
NETWORKS = ("dense", "small-dense", "sparse")
TRIOS = {
    "digits": Trio(
        (64, 32, 256, 10),
        out_degree=8,
        block=(2, 4),
        dense_widths=(12, 16, 20, 24, 32),
        epochs=80,
        batch_size=64,
    ),
    "mnist": Trio(
        (800, 80, 512, 10),
        out_degree=16,
        block=(4, 4),
        dense_widths=(24, 32, 40, 48, 64, 80),
        epochs=30,
        batch_size=256,
    ),
}


def demo(
    data: Annotated[str, typer.Option(help="digits, or mnist for the real thing.")] = "digits",
    data_dir: DataDir = None,
    json_file: Annotated[Path, typer.Option("--json", help="Where the figures go.")] = Path("report.json"),
    html_file: Annotated[Path, typer.Option("--html", help="Where the page goes.")] = Path("report.html"),
    out_dir: Annotated[Path, typer.Option(help="Where the three bundles go.")] = Path("offramp-demo"),
    rate_bits_per_s: Annotated[
        float, typer.Option(min=1, callback=arguments.finite, help="Rate of the link, each way.")
    ] = 1e6,
    delay_ms: Annotated[
        float, typer.Option(min=0, callback=arguments.finite, help="Delay of the link, each way.")
    ] = 5.0,
    deadline_s: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=MAX_DEADLINE_S,
            callback=arguments.finite,
            help="How long the edge waits for the tail.",
        ),
    ] = 2.0,
    samples: Annotated[
        str, typer.Option(help="Test samples to stream, drawn at random where there are more; or all.")
    ] = "1000",
    seed: Annotated[int, typer.Option(min=0, help="Decides splits, patterns, weights and order.")] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_SEEDS,
            help="Train every network with so many seeds, from --seed on; the first is streamed.",
        ),
    ] = 5,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training data.", show_default="by data set")
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, max=MAX_THREADS, help="Threads of training, of the edge, of the tail.")
    ] = 1,
    markdown: Annotated[
        Path | None,
        typer.Option(help="Write a page here too, with a .csv beside it.", show_default=False),
    ] = None,
) -> None:
    """Train three split networks, put a slow link between device and server, and compare.

    A sparse network, a dense one as accurate (the narrowest of several, by validation
    samples) and a small dense one with as many parameters answer the same test samples
    in four modes: all on the device, all on the server, split, and split with an exit.
    Each tail runs in a process of its own. Every number is measured in this run.

    [bold]Examples[/bold]

      offramp demo
      offramp demo --data mnist --data-dir ~/mnist --samples all
      offramp demo --rate-bits-per-s 2e5 --delay-ms 40
      offramp demo --data mnist --markdown system.md
    """
    for package in ("torch", "jinja2", "matplotlib"):  # missing: say so now, not after the work
        import_module(package)
    from offramp.cli.comparison import compare
    from offramp.cli.contenders import Settings
    from offramp.data import load

    if data not in TRIOS:
        raise ConfigError(
            f"the demo has no networks for {data!r}; use {' or '.join(TRIOS)}, or offramp train"
        )
    trio = TRIOS[data]
    settings = Settings(
        seeds=tuple(range(seed, seed + seeds)),
        epochs=epochs or trio.epochs,
        batch_size=trio.batch_size,
        rate_bits_per_s=rate_bits_per_s,
        delay_ms=delay_ms,
        deadline_s=deadline_s,
        samples=arguments.count(samples, "--samples"),
        threads=threads,
    )
    for file in (json_file, html_file):
        check_file(file)
    check_page(markdown)
    make_folder(out_dir)
    for name in NETWORKS:
        check_writable(out_dir / name, overwrite=True)
    options = [
        ("--data", data, "digits"),
        ("--seeds", str(seeds), "5"),
        ("--seed", str(seed), "0"),
        ("--epochs", str(epochs or ""), ""),
        ("--samples", samples, "1000"),
        ("--rate-bits-per-s", f"{rate_bits_per_s:g}", "1e+06"),
        ("--delay-ms", f"{delay_ms:g}", "5"),
        ("--deadline-s", f"{deadline_s:g}", "2"),
        ("--threads", str(threads), "1"),
    ]
    result = compare(
        trio.designs(),
        partial(load, data, data_dir=data_dir),
        settings,
        out_dir=out_dir,
        command=typed("offramp demo", options, markdown),
    )
    json_file.write_bytes(to_json(result))
    html_file.write_text(html_page(result), encoding="utf-8")
    written = [html_file, json_file, *(write_markdown(result, markdown) if markdown else [])]
    print_wide(results_table(result.rows, title=result.title))
    print_wide(networks_table(result.networks), n_keys=1)
    note(
        f"{result.rows[0].n_samples:,} test samples a row: the 95% interval of an accuracy is about"
        f" ±{100 * accuracy_margin(result.rows):.1f} points"
    )
    note(f"written: {', '.join(map(str, written))} and the bundles in {out_dir}")
