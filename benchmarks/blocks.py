"""What an edge costs in blocks of each shape, against an edge of Torch's dense layer.

`python -m benchmarks.blocks` ends with the table that `pattern="auto"` chooses by, as
src/offramp/pattern/auto.py has it. It takes 40 s and wants an idle machine: with three jobs on two cores most
figures came again within 4%, single ones within 16%.
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
BLOCKS = [(r, c) for r in SIZES for c in SIZES]
WIDTH = 1024
WORKS = {256: peers.WORKS, 1: ("forward",)}  # by batch: training does all of them, answering one
SETTINGS = [(batch, density) for batch in WORKS for density in (0.25, 0.0625)]
N_PASSES = 3  # over all blocks, so that a busy spell meets a few of them in one pass only

Block = tuple[int, int]


def main() -> None:
    torch.set_num_threads(1)
    layers = {(block, density): _layer(block, density) for block in BLOCKS for _, density in SETTINGS[:2]}
    passes = [
        {block: [_cost(layers[block, density], batch) for batch, density in SETTINGS] for block in BLOCKS}
        for _ in range(N_PASSES)
    ]
    costs = {
        block: [statistics.median(each) for each in zip(*(one[block] for one in passes), strict=True)]
        for block in BLOCKS
    }
    _print(costs)


def _print(costs: dict[Block, list[float]]) -> None:
    """Every figure for people; their geometric means as the lines to paste into auto.py."""
    print(f"time of an edge over that of a dense edge: {WIDTH} -> {WIDTH}, one thread, float32")
    print(
        " block " + "".join(f"{f'batch {batch}, {density:g}':>20}" for batch, density in SETTINGS), "   mean"
    )
    means = {block: statistics.geometric_mean(each) for block, each in costs.items()}
    for block, each in costs.items():
        print("{:3}x{:<3}".format(*block) + "".join(f"{cost:20.3f}" for cost in each), f"{means[block]:7.3f}")
    print(f"\n_COSTS = (  # c = {', '.join(map(str, SIZES))}")
    for r in SIZES:
        print(f"    ({', '.join(f'{means[r, c]:.2f}' for c in SIZES)}),  # r = {r}")
    print(")")


def _cost(layer: SparseLinear, batch: int) -> float:
    """Our time per edge over dense time per edge, for all works of the batch together."""
    problem = peers.Problem(layer, torch.randn(batch, WIDTH), torch.randn(batch, WIDTH))
    ours, dense = peers.ours(problem), peers.torch_dense(problem)

    def run(kernels: peers.Kernels) -> None:
        for work in WORKS[batch]:
            kernel = kernels[work]
            assert isinstance(kernel, peers.Kernel)
            kernel.run()

    ratio = interleaved(lambda: run(ours), {"dense": lambda: run(dense)}, pairs=(5, 15), budget_s=0.1)
    return 1 / (ratio["dense"].median * layer.pattern.density)


def _layer(block: Block, density: float) -> SparseLinear:
    torch.manual_seed(0)
    kind, shape = ("random", None) if block == (1, 1) else ("block", block)
    return SparseLinear(
        WIDTH, WIDTH, out_degree=round(WIDTH * density), pattern=PatternSpec(kind, block=shape)
    )


if __name__ == "__main__":
    main()
