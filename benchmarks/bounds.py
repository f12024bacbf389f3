"""What bounds a kernel: `python -m benchmarks.bounds`, under a minute.

Time against edges is nearly a straight line. Where it meets zero edges is what a call costs: converting the
layout of x and y, which is reading and writing memory, and Python. Its slope is the rate at which edges are
computed. A dense layer's product has both inside. So a speed-up over dense comes to 1/density only where the
call's cost is small beside the edges, and the rates are alike.
"""

import os
import statistics

os.environ["OMP_NUM_THREADS"] = "1"  # read once, when a peer's own OpenMP starts: before any import below

import numpy as np
import torch

from benchmarks import peers
from benchmarks.timing import interleaved
from offramp.nn import SparseLinear

WIDTHS = (1024, 4096)
BLOCKS = (1, 4, 8)
SHARES = (1 / 128, 1 / 16, 1 / 8, 1 / 4)  # densities through which the line goes
BATCH = 256
N_PASSES = 3


def main() -> None:
    torch.set_num_threads(1)
    print(f"batch {BATCH}, one thread, float32; rates in 1e9 multiply-adds a second")
    print(f"{'junction':>14} {'pattern':>8} {'work':>12} {'call, us':>9} {'rate':>6} {'dense':>6}", end="")
    print(f" {'call share at 0.125':>20} {'at 0.03':>8}")
    for width in WIDTHS:
        for side in BLOCKS:
            for work in peers.WORKS:
                _print_line(width, side, work)


def _print_line(width: int, side: int, work: str) -> None:
    degrees = [max(side, round(width * share)) for share in SHARES]
    times = [_times(width, side, degree, work) for degree in degrees]
    edges = [width * degree for degree in degrees]
    slope, call = np.polyfit(edges, [ours for ours, _ in times], 1, w=[1 / ours for ours, _ in times])
    dense = BATCH * width * width / statistics.median(peer for _, peer in times) / 1e9
    kind = "random" if side == 1 else f"{side}x{side}"
    shares = [call / (call + slope * width * width * density) for density in (1 / 8, 1 / 32)]
    print(f"{f'{width} -> {width}':>14} {kind:>8} {work:>12} {1e6 * call:9.0f}", end="")
    print(f" {BATCH / slope / 1e9:6.1f} {dense:6.1f} {shares[0]:20.0%} {shares[1]:8.0%}", flush=True)


def _times(width: int, side: int, degree: int, work: str) -> tuple[float, float]:
    """Seconds of ours and of the dense layer, medians of a few passes."""
    torch.manual_seed(0)
    how = {"pattern": "random"} if side == 1 else {"pattern": "block", "block": (side, side)}
    layer = SparseLinear(width, width, out_degree=degree, **how)
    problem = peers.Problem(layer, torch.randn(BATCH, width), torch.randn(BATCH, width))
    ours, dense = peers.ours(problem)[work], peers.torch_dense(problem)[work]
    assert isinstance(dense, peers.Kernel)
    ratio = interleaved(ours.run, {"dense": dense.run}, pairs=(3, 2 * N_PASSES + 1), budget_s=0.3)["dense"]
    return ratio.ours_s, ratio.peer_s


if __name__ == "__main__":
    main()
