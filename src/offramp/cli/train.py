"""offramp train: from data to a bundle."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from offramp.bundle import check_writable
from offramp.cli import arguments
from offramp.cli.config import Config
from offramp.cli.console import print_json, print_line, resumable
from offramp.cli.options import MAX_SEEDS, MAX_THREADS, Data, DataDir, Label, TeacherBundle
from offramp.errors import ConfigError


def train(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The bundle to write: a new folder. With --seeds, a folder for bundles seed0, seed1 ...",
            show_default=False,
        ),
    ],
    config: Config = None,
    data: Data = "digits",
    data_dir: DataDir = None,
    label: Label = None,
    neurons: Annotated[
        str,
        typer.Option(
            help="Widths of all layers. auto at the ends follows from the data: features, zero-padded until"
            " the out-degree fits, and classes."
        ),
    ] = "auto,64,256,auto",
    out_degrees: Annotated[
        str | None,
        typer.Option(
            help="Edges leaving each neuron, one number for each junction, or full.",
            show_default="a quarter of the second layer, then full",
        ),
    ] = None,
    pattern: Annotated[
        str,
        typer.Option(
            help="Which edges: random, block, affine, clash_free, full; or auto, the fastest blocks that fit."
        ),
    ] = "block",
    block: Annotated[
        str | None,
        typer.Option(
            help="Inputs x outputs connected as one, made smaller where the degrees demand it.",
            show_default="4x4 for pattern block",
        ),
    ] = None,
    pool: Annotated[int, typer.Option(min=1, help="Average images over windows of this side first.")] = 1,
    recipe: Annotated[
        str, typer.Option(help="cosine, or paper: as published with arXiv:2407.11763.")
    ] = "cosine",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training data.", show_default="the recipe's")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Samples per step.", show_default="by recipe and data"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides splits, pattern, weights and order.")] = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_SEEDS,
            help="Train so many networks, with this seed and the next ones, and tell how much they differ.",
        ),
    ] = 1,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_THREADS,
            help="Processes that train --seeds, each with --threads.",
            show_default="one per core; fewer where their start would take longer",
        ),
    ] = None,
    distill: Annotated[
        bool,
        typer.Option(
            "--distill",
            help="Head, tail and exit learn from a teacher beside the labels; see --teacher for the cost.",
        ),
    ] = False,
    distill_weight: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            help="The teacher's share of what is learnt; the labels' is the rest.",
            show_default="0.5 with --distill",
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="The higher, the more the teacher tells of classes that are not its answer.",
            show_default="4 with --distill",
        ),
    ] = None,
    teacher: TeacherBundle = None,
    cut: Annotated[
        int | None,
        typer.Option(
            min=1, help="Junctions on the device; the rest is the tail.", show_default="half of them"
        ),
    ] = None,
    exit_hidden: Annotated[
        str, typer.Option(help="Widths of the exit's hidden layers, as in 32.", show_default="none")
    ] = "",
    inner_exits: Annotated[
        str,
        typer.Option(
            help="Exits inside head and tail, as in head-2,tail-2:32: after so many layers (ReLU counted),"
            " with hidden layers of these widths.",
            show_default="none",
        ),
    ] = "",
    exits: Annotated[
        str,
        typer.Option(
            help="joint: exits and backbone together. frozen: the backbone first, then the exits alone."
            " mixed: the backbone first, then all together."
        ),
    ] = "joint",
    self_distill: Annotated[
        float,
        typer.Option(min=0, max=1, help="The tail's share of what the exits learn; the labels' is the rest."),
    ] = 0.0,
    final_relu: Annotated[
        bool,
        typer.Option(
            "--final-relu", help="End tail and exits in a ReLU, as the paper does; it costs accuracy."
        ),
    ] = False,
    bottleneck: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Values on the wire: an encoder on the device makes them, the tail begins with the decoder.",
            show_default="the features themselves",
        ),
    ] = None,
    bottleneck_out_degrees: Annotated[
        str,
        typer.Option(help="Edges leaving each neuron of encoder and decoder, as in 4,8, or full."),
    ] = "full,full",
    max_accuracy_drop: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of answers the exit may cost against always asking the tail."),
    ] = 0.005,
    codec: Annotated[
        str,
        typer.Option(
            help="How features cross the wire: float32, float16, int8, int4; int8-zeros and int4-zeros leave"
            " zeros out, int8-range and int4-range use their frequencies."
        ),
    ] = "float32",
    quantise_epochs: Annotated[
        int,
        typer.Option(min=0, help="Epochs of fine-tuning with features as an int8 or int4 codec rounds them."),
    ] = 0,
    threads: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_THREADS,
            help="Threads of Torch and the kernels; small networks are fastest with one.",
        ),
    ] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the bundle at --output.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train a split network with an exit and write it as a bundle.

    The network is cut in the middle of its junctions. The exit's threshold is set on
    samples kept aside for it. Interrupted, the same command goes on where it was.

    [bold]Examples[/bold]

      offramp train -o digits.bundle
      offramp train --data mnist --neurons 800,80,256,10 --out-degrees 12,full,full -o m
      offramp train --data machines.csv --label fault --neurons auto,32,64,auto -o m
      offramp train --seeds 5 -o five
      offramp train --data mnist --pool 2 --distill -o m
      offramp train --config search/front/2450.toml -o m
      offramp train --data mnist --codec int4-range --bottleneck 12 --exits mixed -o m
    """
    from offramp.cli.lesson import lesson_of, taught_words
    from offramp.cli.order import Order, bundle_name, discard  # Torch: only commands that train need it
    from offramp.cli.seeds import print_seeds, train_seeds
    from offramp.system.design import Design
    from offramp.train import RECIPES

    if recipe not in RECIPES:
        raise ConfigError(f"unknown recipe {recipe!r}; use one of {', '.join(RECIPES)}")
    if seeds == 1:
        check_writable(output, overwrite=overwrite)  # now, and not after minutes of training
    design = Design(
        neurons=arguments.widths(neurons, "--neurons"),
        out_degrees=None if out_degrees is None else arguments.degrees(out_degrees, "--out-degrees"),
        pattern=pattern,
        block=None if block is None else arguments.block(block, "--block"),
        cut=cut,
        exit_hidden=arguments.numbers(exit_hidden, "--exit-hidden"),
        inner_exits=arguments.places(inner_exits, "--inner-exits"),
        final_relu=final_relu,
        bottleneck=bottleneck,
        bottleneck_out_degrees=arguments.pair(bottleneck_out_degrees, "--bottleneck-out-degrees"),
        pool=pool,
        codec=codec,
        quantise_epochs=quantise_epochs,
        max_accuracy_drop=max_accuracy_drop,
    )
    known = RECIPES[recipe]
    changes: dict[str, Any] = {
        "epochs": epochs or known.epochs,
        "batch_size": batch_size or known.batch_size,
        "exits": exits,
        "self_distillation": self_distill,
    }
    order = Order(
        data=data,
        data_dir=data_dir,
        label=label,
        design=design,
        recipe=replace(known, **changes),
        fit_batch=batch_size is None and recipe != "paper",
        threads=threads,
        lesson=lesson_of(distill, weight=distill_weight, temperature=temperature, teacher=teacher),
    )
    checkpoint = output.with_name(f"{output.name}.checkpoint")
    report: dict[str, Any]
    with resumable(checkpoint, "**/checkpoint.safetensors"):
        if seeds > 1:
            asked = range(seed, seed + seeds)
            report = train_seeds(order, output, asked, checkpoint, workers=workers, overwrite=overwrite)
        else:
            report = order.train(bundle_name(output), output, seed, checkpoint, overwrite=overwrite)
    discard(checkpoint)
    if as_json:
        print_json(report)
    elif seeds > 1:
        print_seeds(report)
    else:
        _print(report, taught_words(report.get("taught")))


def _print(summary: dict[str, Any], taught: str) -> None:
    accuracy, calibration = summary["validation_accuracy"], summary["calibration"]
    sizes = ", ".join(
        f"{name} {n:,} parameters in {summary['bytes'][name]:,} bytes"
        for name, n in summary["parameters"].items()
    )
    lines = (
        f"trained in {summary['seconds']:.1f} s: {sizes}",
        *([taught] if taught else []),
        f"validation accuracy: tail {accuracy['tail']:.2%}, exit alone {accuracy['exit']:.2%}",
        f"exit threshold {summary['threshold']:.4g}: on calibration data {calibration['exit_rate']:.1%} exit,"
        f" accuracy {0 - calibration['accuracy_drop']:+.2%} against always asking the tail",
        f"written to {summary['bundle']}; next: offramp serve {shlex.quote(summary['bundle'])}",
    )
    for line in lines:
        print_line(line)
