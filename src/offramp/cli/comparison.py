"""Several networks trained on the same data, streamed over the same link, compared. Imports Torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from offramp.bundle import Bundle, LinearLayer, Part, SparseLinearLayer, part_bytes, write
from offramp.cli.console import note, progress
from offramp.cli.contenders import RECIPE, Contender, Designs, Load, Settings, estimate, train_all
from offramp.cli.environment import environment
from offramp.cli.equal_accuracy import choose
from offramp.cli.measure import Stream
from offramp.cli.tail_process import tail_process
from offramp.data import Dataset
from offramp.nn import SplitModel
from offramp.plan.judgement import Verdicts, verdicts
from offramp.report import Choice, NetworkRecord, Result, Row
from offramp.runtime import MODES, ShapedLink
from offramp.system.design import Design
from offramp.train.memory import peak_training_bytes


def compare(designs: Designs, load: Load, settings: Settings, *, out_dir: Path, command: str) -> Result:
    """Train all networks, choose the dense one, write bundles into `out_dir`, stream test samples.

    Args:
        load: gives the data, split by a seed.
        command: what to type for the same.
    """
    dataset = load(seed=settings.seeds[0])
    small_dense, sparse, *dense = train_all(
        {
            "small-dense": designs.small_dense,
            "sparse": designs.sparse,
            **{f"dense, {design.neurons[1]} neurons at the cut": design for design in designs.dense},
        },
        load,
        dataset,
        settings,
    )
    choice = choose(
        sparse.candidate(),
        [contender.candidate() for contender in dense],
        n_samples=len(dataset.splits["validation"]),
    )
    note(f"dense: {choice.candidates[choice.chosen].neurons[1]} neurons, by validation accuracy")
    contenders = {"dense": dense[choice.chosen], "small-dense": small_dense, "sparse": sparse}
    for name, contender in contenders.items():
        write(contender.trained[0].bundle, out_dir / name, overwrite=True)
    stream, n_test = _stream(dataset, settings)
    rows = [
        row
        for name, contender in contenders.items()
        for row in _rows(contender.trained[0].bundle, out_dir / name, stream, settings)
    ]
    return Result(
        title=f"offramp demo: {dataset.name}, {len(contenders)} networks, {len(MODES)} modes",
        command=command,
        rows=rows,
        networks=_records(contenders, rows, load, stream, settings),
        choice=choice,
        n_test=n_test,
        method=_method(dataset, choice, settings, n_streamed=len(stream.labels), n_test=n_test),
        settings={"data": dataset.name, "recipe": RECIPE, **asdict(settings)}
        | {
            "seeds": list(settings.seeds),
            "codec": designs.sparse.codec,
            "samples": len(stream.labels),
            "test samples": n_test,
        },
        environment=environment(),
    )


def _stream(dataset: Dataset, settings: Settings) -> tuple[Stream, int]:
    """The samples to stream, in an order that only the first seed decides, and the size of the test split."""
    x, y = dataset.split("test")
    drawn = np.random.default_rng(settings.seeds[0]).permutation(len(y))[: settings.samples]
    return Stream(x[drawn], y[drawn], settings.deadline_s, settings.threads), len(y)


def _rows(bundle: Bundle, path: Path, stream: Stream, settings: Settings) -> list[Row]:
    """One row for each mode; the tail runs in its own process behind a shaped link."""
    rows = []
    with tail_process(path, threads=settings.threads) as (host, port), progress() as bar:
        for mode in MODES:
            task = bar.add_task(f"{bundle.name}, {mode}", total=len(stream.labels))
            with ShapedLink(
                host, port, bits_per_s=settings.rate_bits_per_s, delay_s=settings.delay_ms / 1000
            ) as link:
                row = stream.through(
                    bundle,
                    mode,
                    link=link,
                    head_bytes=part_bytes(path, "head"),
                    advance=partial(bar.advance, task),
                )
            rows.append(row)
    return rows


def _records(
    contenders: Mapping[str, Contender], rows: Sequence[Row], load: Load, stream: Stream, settings: Settings
) -> list[NetworkRecord]:
    """What the trainings gave: time and memory, accuracies on the whole test split, the first one's exit."""
    builds = {name: partial(_build, one.design, settings.seeds[0]) for name, one in contenders.items()}
    peaks = peak_training_bytes(builds, settings.recipe, threads=settings.threads)
    on_test: dict[str, list[Verdicts]] = {name: [] for name in contenders}
    for index, seed in enumerate(settings.seeds):
        x, y = load(seed=seed).split("test")
        for name, contender in contenders.items():
            on_test[name].append(verdicts(contender.trained[index].bundle, x, y))
    offload_bytes = {row.network: row.wire_bytes_per_sample for row in rows if row.mode == "split"}
    return [
        _record(contender, on_test[name], peaks[name], offload_bytes[name], stream)
        for name, contender in contenders.items()
    ]


def _build(design: Design, seed: int) -> SplitModel:
    """The untrained network, for a process that has no data."""
    return design.build(design.neurons, design.out_degrees, seed=seed)


def _record(
    contender: Contender,
    on_test: Sequence[Verdicts],
    peak_bytes: int | None,
    offload_bytes: float,
    stream: Stream,
) -> NetworkRecord:
    bundle = contender.trained[0].bundle
    head = bundle.parts["head"]
    streamed = verdicts(bundle, stream.samples, stream.labels)
    return NetworkRecord(
        name=bundle.name,
        neurons=list(contender.design.neurons),
        structure={name: structure(part) for name, part in bundle.parts.items()},
        head_density=head.n_macs / sum(layer.n_in * layer.n_out for layer in _junctions(head)),
        tail_parameters=bundle.parts["tail"].n_parameters,
        training_s=estimate([one.training_s for one in contender.trained]),
        peak_training_bytes=peak_bytes,
        exit_accuracy=estimate([float(one.exit_right[one.at_cut].mean()) for one in on_test]),
        tail_accuracy=estimate([float(one.tail_right.mean()) for one in on_test]),
        system_accuracy=estimate([float(one.system_right.mean()) for one in on_test]),
        exit_rate=estimate([float(one.exited.mean()) for one in on_test]),
        wire_bytes=estimate([offload_bytes * float(one.offloaded.mean()) for one in on_test]),
        threshold=bundle.exit_rule.threshold,
        confidence=np.round(streamed.outcomes.confidence[streamed.at_cut], 6).tolist(),
        exit_correct=streamed.exit_right[streamed.at_cut].tolist(),
        tail_correct=streamed.tail_right.tolist(),
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


def _method(
    dataset: Dataset, choice: Choice, settings: Settings, *, n_streamed: int, n_test: int
) -> list[str]:
    drawn = ", drawn at random," if n_streamed < n_test else ""
    link = f"{settings.rate_bits_per_s / 1e6:g} Mbit/s and {settings.delay_ms:g} ms each way"
    n_seeds = len(settings.seeds)
    several = (
        f"{n_seeds} seeds from {settings.seeds[0]} on, which decide splits, patterns, weights and order."
        " Figures with ± are means over them with their 95% interval (Student's t); all else is of the first"
        " seed."
    )
    return [
        f"All networks: recipe {RECIPE}, {settings.epochs} epochs of the same samples in the same order,"
        f" {several if n_seeds > 1 else 'one seed.'} Exit and tail are trained together; the exit's threshold"
        " is set on the calibration split.",
        f"Dense heads of {', '.join(str(one.neurons[1]) for one in choice.candidates)} neurons, with tails of"
        " the sparse network's hidden widths, were trained too. The dense network of the comparison is the"
        f" narrowest whose system is right on as many of the {choice.n_samples:,} validation samples as the"
        " sparse one's, less one standard error. No test sample was read before that choice.",
        "Training time is that of all epochs, validation included, without reading the data. Where it is"
        " long, several networks are trained at the same time, so that every core has work.",
        "Training memory is the peak of a process's resident memory over the first steps, in a process of its"
        " own for each network, less what it had before the network was made: pattern, weights, gradients,"
        " Adam's moments and a step's own work are counted; samples, validation and the libraries are not.",
        f"Accuracies of exit, tail and system in the table of networks are on all {n_test:,} test samples,"
        " the tail's from features as they arrive. They were computed without a link.",
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
