"""Several networks trained on the same data, streamed over the same link, compared. Imports Torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from offramp.bundle import Bundle, LinearLayer, Part, SparseLinearLayer, part_bytes, write
from offramp.cli.console import note, progress
from offramp.cli.environment import environment
from offramp.cli.measure import Stream
from offramp.cli.tail_process import tail_process
from offramp.cli.training import Design, train_bundle
from offramp.data import Dataset
from offramp.exits import max_softmax
from offramp.report import NetworkRecord, Result, Row
from offramp.runtime import MODES, Network, ShapedLink
from offramp.train import RECIPES, History

RECIPE = "cosine"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the figures, besides data, networks and machine.

    Args:
        samples: of the test split to stream, None for all.
        threads: of training, of the edge's kernels and of the tail's, each.
    """

    seed: int
    epochs: int
    batch_size: int
    rate_bits_per_s: float
    delay_ms: float
    deadline_s: float
    samples: int | None
    threads: int


def compare(designs: Mapping[str, Design], dataset: Dataset, settings: Settings, *, out_dir: Path) -> Result:
    """Train all networks, write their bundles into `out_dir`, stream test samples in every mode."""
    trained = {
        name: _train(name, dataset, design, settings, out_dir=out_dir) for name, design in designs.items()
    }
    stream, n_test = _stream(dataset, settings)
    rows = [
        row
        for name, (bundle, _) in trained.items()
        for row in _rows(bundle, out_dir / name, stream, settings)
    ]
    return Result(
        title=f"offramp demo: {dataset.name}, {len(trained)} networks, {len(MODES)} modes",
        rows=rows,
        networks=[_record(bundle, history, stream) for bundle, history in trained.values()],
        method=_method(dataset, settings, n_streamed=len(stream.labels), n_test=n_test),
        settings={"data": dataset.name, "recipe": RECIPE, **asdict(settings)}
        | {
            "codec": next(iter(designs.values())).codec,
            "samples": len(stream.labels),
            "test samples": n_test,
        },
        environment=environment(),
    )


def _train(
    name: str, dataset: Dataset, design: Design, settings: Settings, *, out_dir: Path
) -> tuple[Bundle, History]:
    recipe = replace(RECIPES[RECIPE], epochs=settings.epochs, batch_size=settings.batch_size)
    bundle, history = train_bundle(
        name, dataset, design, recipe, seed=settings.seed, threads=settings.threads
    )
    write(bundle, out_dir / name, overwrite=True)
    accuracy = bundle.training["validation_accuracy"]["tail"]
    note(f"{name}: trained in {history.seconds:.1f} s, validation accuracy {accuracy:.2%}")
    return bundle, history


def _stream(dataset: Dataset, settings: Settings) -> tuple[Stream, int]:
    """The samples to stream, in an order that only the seed decides, and the size of the test split."""
    x, y = dataset.split("test")
    drawn = np.random.default_rng(settings.seed).permutation(len(y))[: settings.samples]
    return Stream(x[drawn], y[drawn], settings.deadline_s, settings.threads), len(y)


def _rows(bundle: Bundle, path: Path, stream: Stream, settings: Settings) -> list[Row]:
    """One row for each mode; the tail runs in its own process behind a shaped link."""
    speed = {"bits_per_s": settings.rate_bits_per_s, "delay_s": settings.delay_ms / 1000}
    rows = []
    with tail_process(path, threads=settings.threads) as (host, port), progress() as bar:
        for mode in MODES:
            task = bar.add_task(f"{bundle.name}, {mode}", total=len(stream.labels))
            with ShapedLink(host, port, **speed) as link:
                row = stream.through(
                    bundle,
                    mode,
                    link=link,
                    head_bytes=part_bytes(path, "head"),
                    advance=partial(bar.advance, task),
                )
            rows.append(row)
    return rows


def _record(bundle: Bundle, history: History, stream: Stream) -> NetworkRecord:
    head, exit, tail = (bundle.parts[name] for name in ("head", "exit", "tail"))
    features = Network(head)(bundle.preprocessing(stream.samples))
    exit_scores, tail_scores = Network(exit)(features), Network(tail)(features)
    return NetworkRecord(
        name=bundle.name,
        structure={name: structure(part) for name, part in bundle.parts.items()},
        head_density=head.n_macs / sum(layer.n_in * layer.n_out for layer in _junctions(head)),
        tail_parameters=tail.n_parameters,
        training_s=history.seconds,
        threshold=bundle.exit_rule.threshold,
        confidence=np.round(max_softmax(exit_scores), 6).tolist(),
        exit_correct=(exit_scores.argmax(1) == stream.labels).tolist(),
        tail_correct=(tail_scores.argmax(1) == stream.labels).tolist(),
    )


def structure(part: Part) -> str:
    """The junctions of a part in words: "64→32 (out-degree 8, blocks 2×4)"."""
    first, *_ = junctions = _junctions(part)
    text = str(first.n_in)
    for layer in junctions:
        text += f"→{layer.n_out}"
        if isinstance(layer, SparseLinearLayer):
            text += f" (out-degree {layer.out_degree}, blocks {layer.block[0]}×{layer.block[1]})"
    return text


def _junctions(part: Part) -> list[SparseLinearLayer | LinearLayer]:
    return [layer for layer in part.layers if isinstance(layer, SparseLinearLayer | LinearLayer)]


def _method(dataset: Dataset, settings: Settings, *, n_streamed: int, n_test: int) -> list[str]:
    drawn = ", drawn at random," if n_streamed < n_test else ""
    link = f"{settings.rate_bits_per_s / 1e6:g} Mbit/s and {settings.delay_ms:g} ms each way"
    return [
        f"All networks: recipe {RECIPE}, {settings.epochs} epochs of the same samples in the same order, one"
        " seed. Exit and tail are trained together; the exit's threshold is set on the calibration split.",
        f"{n_streamed:,} of the {n_test:,} test samples{drawn} were streamed one at a time: the next is sent"
        " when the last is answered.",
        "The tail is offramp serve in a process of its own, on the same machine, behind a TCP link of"
        f" {link}.",
        "Bytes on the wire are all that passed the link, both directions, with gRPC, HTTP/2 and message"
        " framing, without TCP and IP headers. The connection is set up before the first sample and not"
        " counted.",
        "Latency is from the raw sample to the answer. This machine plays the device, and is no slow one: the"
        " times show what the link costs, not what computing costs on a small processor.",
        "Multiply-adds on the edge are those that were executed: head and tail in mode local, none in remote,"
        " the head in split, head and exit in split+exit.",
    ]
