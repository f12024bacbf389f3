"""offramp demo: three networks, four modes, one table."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offramp.bundle import check_writable
from offramp.cli import arguments
from offramp.cli.console import check_file, note, print_wide
from offramp.cli.options import MAX_DEADLINE_S, MAX_THREADS, DataDir
from offramp.errors import ConfigError
from offramp.report import accuracy_margin, html_page, results_table, to_json

if TYPE_CHECKING:
    from offramp.cli.training import Design


@dataclass(frozen=True)
class Trio:
    """Three networks for one data set: widths, the sparse head, and how long all are trained.

    Chosen by the accuracy on validation and calibration samples over many seeds, never by test samples.
    """

    neurons: tuple[int, ...]
    out_degree: int  # of the sparse head, one junction
    block: tuple[int, int]
    epochs: int
    batch_size: int

    def designs(self) -> "dict[str, Design]":
        """The networks by name; the small dense head has about as many parameters as the sparse one."""
        from offramp.cli.training import Design

        n_in, width, *rest = self.neurons
        sparse_parameters = n_in * self.out_degree + width
        small = (n_in, round(sparse_parameters / (n_in + 1)), *rest)
        dense = [None] * (len(self.neurons) - 1)
        sparse = [self.out_degree, *dense[1:]]
        return {
            "dense": Design(neurons=self.neurons, out_degrees=dense, codec=CODEC),
            "small-dense": Design(neurons=small, out_degrees=dense, codec=CODEC),
            "sparse": Design(neurons=self.neurons, out_degrees=sparse, block=self.block, codec=CODEC),
        }


CODEC = "float16"
TRIOS = {
    "digits": Trio((64, 32, 256, 10), out_degree=8, block=(2, 4), epochs=80, batch_size=64),
    "mnist": Trio((800, 80, 512, 10), out_degree=16, block=(4, 4), epochs=30, batch_size=256),
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
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training data.", show_default="by data set")
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, max=MAX_THREADS, help="Threads of training, of the edge, of the tail.")
    ] = 1,
) -> None:
    """Train three split networks, put a slow link between device and server, and compare.

    A dense network, a small dense one and a sparse one answer the same test samples in
    four modes: all on the device, all on the server, split, and split with an exit. Each
    tail runs in a process of its own. Every number is measured in this run.

    [bold]Examples[/bold]

      offramp demo
      offramp demo --data mnist --data-dir ~/mnist --samples all
      offramp demo --rate-bits-per-s 2e5 --delay-ms 40
    """
    for package in ("torch", "jinja2", "matplotlib"):  # missing: say so now, not after the work
        import_module(package)
    from offramp.cli.comparison import Settings, compare
    from offramp.data import load

    if data not in TRIOS:
        raise ConfigError(
            f"the demo has no networks for {data!r}; use {' or '.join(TRIOS)}, or offramp train"
        )
    trio = TRIOS[data]
    settings = Settings(
        seed=seed,
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
    out_dir.mkdir(parents=True, exist_ok=True)
    designs = trio.designs()
    for name in designs:
        check_writable(out_dir / name, overwrite=True)
    result = compare(designs, load(data, data_dir=data_dir, seed=seed), settings, out_dir=out_dir)
    json_file.write_bytes(to_json(result))
    html_file.write_text(html_page(result), encoding="utf-8")
    print_wide(results_table(result.rows, title=result.title))
    note(
        f"{result.rows[0].n_samples:,} test samples a row: the 95% interval of an accuracy is about"
        f" ±{100 * accuracy_margin(result.rows):.1f} points"
    )
    note(f"written: {html_file}, {json_file} and the bundles in {out_dir}")
