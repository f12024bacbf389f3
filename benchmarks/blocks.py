"""What an edge costs in blocks of each shape, against an edge of Torch's dense layer.

`python -m benchmarks.blocks` ends with the table that `pattern="auto"` chooses by, as
src/offramp/pattern/auto.py has it.
"""

import os
import statistics

os.environ["OMP_NUM_THREADS"] = "1"  # read once, when a peer's own OpenMP starts: before any import below

import torch

from benchmarks import peers
from benchmarks.timing import interleaved
from offramp.nn import SparseLinear
from offramp.pattern import PatternSpec

SIZES = (1, 2, 4, 8, 16)
WIDTH = 1024
DENSITIES = (0.25, 0.0625)
SETTINGS = {256: peers.WORKS, 1: ("forward",)}  # by batch: training does all works, a device one
BUDGET_S = 0.15


def main() -> None:
    torch.set_num_threads(1)
    columns = [(batch, density) for batch in SETTINGS for density in DENSITIES]
    print(f"time of an edge over that of a dense edge: {WIDTH} -> {WIDTH}, one thread, float32")
    print(
        " block " + "".join(f"{f'batch {batch}, {density:g}':>20}" for batch, density in columns), "   mean"
    )
    means = {}
    for block in ((r, c) for r in SIZES for c in SIZES):
        costs = [cost(block, batch, density) for batch, density in columns]
        means[block] = statistics.geometric_mean(costs)
        print(
            "{:3}x{:<3}".format(*block) + "".join(f"{each:20.3f}" for each in costs), f"{means[block]:7.3f}"
        )
    print(f"\n_COSTS = (  # c = {', '.join(map(str, SIZES))}")
    for r in SIZES:
        print(f"    ({', '.join(f'{means[r, c]:.2f}' for c in SIZES)}),  # r = {r}")
    print(")")


def cost(block: tuple[int, int], batch: int, density: float) -> float:
    """Our time per edge over dense time per edge, for all works of the batch together."""
    problem = _problem(block, batch, density)
    ours, dense = peers.ours(problem), peers.torch_dense(problem)
    works = SETTINGS[batch]

    def run(kernels: peers.Kernels) -> None:
        for work in works:
            kernel = kernels[work]
            assert isinstance(kernel, peers.Kernel)
            kernel.run()

    ratio = interleaved(lambda: run(ours), {"dense": lambda: run(dense)}, pairs=(5, 15), budget_s=BUDGET_S)
    return 1 / (ratio["dense"].median * density)


def _problem(block: tuple[int, int], batch: int, density: float) -> peers.Problem:
    torch.manual_seed(0)
    kind, shape = ("random", None) if block == (1, 1) else ("block", block)
    spec = PatternSpec(kind, block=shape)
    layer = SparseLinear(WIDTH, WIDTH, out_degree=round(WIDTH * density), pattern=spec)
    return peers.Problem(layer, torch.randn(batch, WIDTH), torch.randn(batch, WIDTH))


if __name__ == "__main__":
    main()
