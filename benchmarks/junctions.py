"""A junction against the dense layer of the same width, and whole training steps against dense ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.timing import Ratio, Work, interleaved
from offramp.nn import MLP, SparseLinear
from offramp.pattern import overall_density


@dataclass(frozen=True)
class Case:
    n_in: int
    n_out: int
    out_degree: int
    block: tuple[int, int]
    batch: int = 256


CASES = [
    Case(n, n, degree, block)
    for n, degree in ((1024, 128), (1024, 256), (4096, 512), (4096, 128))
    for block in ((1, 1), (4, 4), (8, 8))
] + [Case(800, 40, 2, (1, 1)), Case(800, 40, 2, (4, 2)), Case(800, 80, 24, (4, 4))]
STEPS = [([800, 40, 40, 10], [2, 9, 10]), ([1024, 1024, 1024, 10], [128, 128, 10])]


def rows(cases: list[Case], *, threads: int, pairs: int) -> Iterator[dict[str, Any]]:
    """A row for every case and work, as `bench.json` holds them."""
    torch.set_num_threads(threads)
    for case in cases:
        layer = SparseLinear(
            case.n_in,
            case.n_out,
            out_degree=case.out_degree,
            pattern="random" if case.block == (1, 1) else "block",
            block=None if case.block == (1, 1) else case.block,
        )
        for work, (ours, peer) in _junction_works(layer, case.batch).items():
            ratio = interleaved(ours, peer, pairs=pairs)
            yield _row(
                work, case.n_in, case.n_out, layer.pattern.density, case.batch, threads, case.block, ratio
            )


def step_rows(*, threads: int, pairs: int, batch: int = 256) -> Iterator[dict[str, Any]]:
    """Forward, loss, backward and Adam of whole networks, as Torch runs them."""
    torch.set_num_threads(threads)
    for neurons, out_degrees in STEPS:
        for block in ((1, 1), (4, 4)):
            sparse = MLP(
                neurons,
                out_degrees,
                pattern="random" if block == (1, 1) else "block",
                block=None if block == (1, 1) else block,
            )
            ratio = interleaved(_step(sparse, batch), _step(MLP(neurons), batch), pairs=pairs)
            density = overall_density(neurons, out_degrees)
            row = _row("step", neurons[0], neurons[-1], density, batch, threads, block, ratio)
            yield row | {"neurons": neurons, "out_degrees": out_degrees}


def _junction_works(layer: SparseLinear, batch: int) -> dict[str, tuple[Work, Work]]:
    ops, tables = torch.ops.offramp, (layer.table, layer.reverse_table, layer.reverse_position)
    r, c = layer.pattern.block
    x, dy = torch.randn(batch, layer.in_features), torch.randn(batch, layer.out_features)
    weight, bias = layer.weight.detach(), layer.bias.detach()
    dense = torch.randn(layer.out_features, layer.in_features)
    return {
        "forward": (
            lambda: ops.junction(x, weight, bias, *tables, r, c),
            lambda: nn.functional.linear(x, dense, bias),
        ),
        "grad_input": (
            lambda: ops.junction_grad_input(dy, weight, *tables, r, c),
            lambda: dy @ dense,
        ),
        "grad_weight": (
            lambda: ops.junction_grad_weight(x, dy, *tables, r, c),
            lambda: (dy.t() @ x, dy.sum(0)),
        ),
    }


def _step(model: nn.Module, batch: int) -> Work:
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    width = next(m for m in model.modules() if hasattr(m, "in_features")).in_features
    x, labels = torch.randn(batch, width), torch.randint(0, 10, (batch,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()

    return step


def _row(
    work: str,
    n_in: int,
    n_out: int,
    density: float,
    batch: int,
    threads: int,
    block: tuple[int, int],
    ratio: Ratio,
) -> dict[str, Any]:
    return {
        "work": work,
        "n_in": n_in,
        "n_out": n_out,
        "density": density,
        "batch": batch,
        "threads": threads,
        "pattern": "random" if block == (1, 1) else "block",
        "block": list(block),
        "peer": "torch dense",
        "ratio_median": ratio.median,
        "ratio_min": ratio.min,
        "ratio_max": ratio.max,
        "ours_s": ratio.ours_s,
        "peer_s": ratio.peer_s,
    }
