"""What samples that exit save inside a batch: `python -m benchmarks.batch_exits`, about two minutes.

Head and tail are made of random weights; thresholds are quantiles of the exits' confidences, so that a given
share of the samples exits. Ours leaves the batch where it exits. It is held against the same with exits that
nobody may take, so that everything is computed, and against the part without inner exits: that shows what an
exit costs where few samples take it. Beside it stands the share of the multiply-adds that are still executed:
the rest of the time is Python, the exits' rules, and making answers. Kernels work on 64 samples at a time, in
steps of 16, so small batches gain least. Then samples go to a tail in another process of this machine, one
by one and 64 at a time.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # read once, when the kernels' threads start: before any import below

import numpy as np
import numpy.typing as npt

from benchmarks.timing import Ratio, interleaved
from offramp import pattern
from offramp.bundle import (
    Bundle,
    InnerExit,
    LinearLayer,
    Part,
    Place,
    Preprocessing,
    ReluLayer,
    SparseLinearLayer,
    write,
)
from offramp.cli.tail_process import tail_process
from offramp.exits import NEVER, ExitRule
from offramp.runtime import Edge, Network, models_of

N_CLASSES, N_SAMPLES = 10, 2048
HEAD = (1024, 1024, 1024, 1024, 64)
TAIL = (64, 1024, 1024, 1024, 1024, N_CLASSES)
OUT_DEGREE = 128  # or all of fewer outputs
SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)
INNER: dict[Place, tuple[int, ...]] = {"head": (2,), "tail": (2, 6)}  # behind so many layers, ReLU counted
COLUMNS = (7, 6, 5, 9, 9, 22, 22)
NOBODY = "127.0.0.1:1"  # the exit at the cut takes what the inner one leaves, so no tail is asked

Work = Callable[[], object]
Thresholds = dict[Place, tuple[float, ...]]


def main() -> None:
    rng = np.random.default_rng(0)
    made = network(rng)
    samples = rng.integers(0, 256, (N_SAMPLES, HEAD[0]), dtype=np.uint8)
    inputs = made.preprocessing(samples)
    features = Network(made.parts["head"])(inputs)
    print(f"{N_SAMPLES} samples, one thread; times of all of them, ratios are medians (smallest to largest)")
    head = ("where", "batch", "exit", "executed", "ours, ms", "over all computed", "over no inner exits")
    print_line(head)
    on_edge = partial(edge_work, samples=samples)
    print_exits("edge", 256, "head", made, inputs, on_edge)
    for size in (64, 256):
        on_server = partial(server_work, features=features, batch=size)
        print_exits("server", size, "tail", made, features, on_server)
    print_loopback(made, samples[:512])


def print_exits(
    where: str,
    batch: int,
    place: Place,
    made: Bundle,
    inputs: npt.NDArray[np.float32],
    work: Callable[[Bundle], Work],
) -> None:
    """A line for each share of samples that exit."""
    none = (NEVER,) * len(INNER[place])
    peers = {
        "all": work(with_thresholds(made, {place: none})),
        "bare": work(with_thresholds(made, {})),
    }
    for share in SHARES:
        chosen = with_thresholds(made, {place: thresholds(made, place, inputs, share)})
        ratios = interleaved(work(chosen), peers, pairs=(9, 21), budget_s=2.0)
        executed = f"{executed_share(made, place, share):.0%}"
        times = f"{1e3 * ratios['all'].ours_s:.1f}", shown(ratios["all"]), shown(ratios["bare"])
        print_line((where, str(batch), f"{share:.0%}", executed, *times))


def edge_work(bundle: Bundle, *, samples: npt.NDArray[np.uint8]) -> Work:
    """Answers all samples on the device."""
    edge = Edge(bundle, tail=NOBODY)
    return lambda: edge.infer_many(samples)


def server_work(bundle: Bundle, *, features: npt.NDArray[np.float32], batch: int) -> Work:
    """Scores all features as a server's batches do."""
    compute = models_of(bundle)[0].compute
    batches = [features[i : i + batch] for i in range(0, len(features), batch)]
    return lambda: [compute(rows) for rows in batches]


def print_loopback(bundle: Bundle, samples: npt.NDArray[np.uint8]) -> None:
    plain = with_thresholds(bundle, {})
    with tempfile.TemporaryDirectory() as folder:
        write(plain, Path(folder) / "bundle")
        with (
            tail_process(Path(folder) / "bundle") as (host, port),
            Edge(plain, tail=f"{host}:{port}", mode="split", deadline_s=10) as edge,
        ):
            assert edge.connect(10)
            together = [samples[i : i + 64] for i in range(0, len(samples), 64)]
            ratio = interleaved(
                lambda: [edge.infer_many(block) for block in together],
                {"alone": lambda: [edge.infer(sample) for sample in samples]},
            )["alone"]
    n = len(samples)
    print(f"\nthrough a tail on this machine, {n} samples in mode split:")
    print(f"batch 64: {n / ratio.ours_s:,.0f} samples/s; one by one: {n / ratio.peer_s:,.0f}; {shown(ratio)}")


def network(rng: np.random.Generator) -> Bundle:
    """Head, exits, tail of random weights, scaled so that activations keep their size."""
    head, tail = part(rng, HEAD, relu_last=True), part(rng, TAIL)
    widths: dict[Place, tuple[int, ...]] = {"head": HEAD, "tail": TAIL}
    inner = tuple(
        InnerExit(place, after, part(rng, (widths[place][after // 2], N_CLASSES)), ExitRule(NEVER))
        for place in INNER
        for after in INNER[place]
    )
    preprocessing = Preprocessing((HEAD[0],), "uint8", scale=1 / 255)
    classes = tuple("abcdefghij")
    exit = part(rng, (HEAD[-1], N_CLASSES))
    return Bundle("bench", preprocessing, classes, head, exit, tail, ExitRule(0.0), inner_exits=inner)


def part(rng: np.random.Generator, widths: tuple[int, ...], *, relu_last: bool = False) -> Part:
    """Sparse junctions where both sides are wide, dense ones to the classes, a ReLU behind all but scores."""
    layers: list[SparseLinearLayer | LinearLayer | ReluLayer] = []
    arrays: dict[str, npt.NDArray[np.float32 | np.uint16 | np.int32]] = {}
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        name = str(len(layers))
        if n_out == N_CLASSES:
            layers.append(LinearLayer(n_in, n_out, False))
            weight = rng.standard_normal((n_out, n_in), dtype=np.float32)
            arrays[f"{name}.weight"] = weight * np.float32((2 / n_in) ** 0.5)
        else:
            degree = min(OUT_DEGREE, n_out)
            made = pattern.block(n_in, n_out, degree, block=(4, 4), seed=0)
            layers.append(SparseLinearLayer(n_in, n_out, degree, (4, 4), False, made.digest()))
            scale = np.float32((2 * n_out / (n_in * degree)) ** 0.5)
            shape = (*made.table.shape, 16)
            arrays[f"{name}.weight"] = rng.standard_normal(shape, dtype=np.float32) * scale
            arrays[f"{name}.table"] = made.table
        if relu_last or i < len(widths) - 2:
            layers.append(ReluLayer())
    return Part(tuple(layers), arrays)


def thresholds(
    bundle: Bundle, place: Place, inputs: npt.NDArray[np.float32], share: float
) -> tuple[float, ...]:
    """With these, `share` of the inputs leave by inner exits: each takes as many of all that come first."""
    chosen, going_on = [], np.ones(len(inputs), np.bool_)
    exits = [one for one in bundle.inner_exits if one.place == place]
    for exit in exits:
        scores = Network(exit.part)(Network(bundle.parts[place], stop=exit.after)(inputs))
        confidence = exit.rule.confidence(scores)
        wanted = share * len(inputs) / len(exits) / max(going_on.sum(), 1)
        threshold = NEVER if share == 0 else float(np.quantile(confidence[going_on], 1 - wanted))
        going_on &= confidence < threshold
        chosen.append(threshold)
    return tuple(chosen)


def executed_share(bundle: Bundle, place: Place, share: float) -> float:
    """Multiply-adds of a sample in the mean, over those of one that goes all the way."""
    exits = bundle.exits(place)
    n_macs, going_on, executed = 0, 1.0, 0.0
    starts = [0, *(exit.after for exit in exits)]
    for start, exit in zip(starts, (*exits, None), strict=True):
        layers = Network(bundle.parts[place], start=start, stop=None if exit is None else exit.after)
        own = layers.n_macs + (0 if exit is None else exit.part.n_macs)
        n_macs, executed = n_macs + own, executed + own * going_on
        going_on -= share / len(exits)
    return executed / n_macs


def with_thresholds(bundle: Bundle, chosen: Thresholds) -> Bundle:
    """The bundle with the inner exits of these places only."""
    inner = tuple(
        InnerExit(
            one.place, one.after, one.part, ExitRule(chosen[one.place][INNER[one.place].index(one.after)])
        )
        for one in bundle.inner_exits
        if one.place in chosen
    )
    parts = bundle.head, bundle.exit, bundle.tail
    return Bundle(
        bundle.name, bundle.preprocessing, bundle.classes, *parts, bundle.exit_rule, inner_exits=inner
    )


def print_line(cells: Sequence[str]) -> None:
    print(" ".join(f"{cell:>{width}}" for cell, width in zip(cells, COLUMNS, strict=True)), flush=True)


def shown(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.min:.2f} to {ratio.max:.2f})"


if __name__ == "__main__":
    main()
