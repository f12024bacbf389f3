"""Peak memory of a training step, sparse against its dense twin, each in a process of its own.

Run as a module, it is that process: it prints the bytes by which the step raised the peak of resident memory.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.targets import MEMORY

NEURONS, OUT_DEGREES, BATCH = [4096, 4096, 4096, 16], [512, 512, 16], 256
BLOCKS = {"random": (1, 1), "block": (4, 4)}
BYTES_PER_EDGE = 16  # weight, gradient, and Adam's two moments, float32


def rows() -> Iterator[dict[str, Any]]:
    """What the step takes beyond the libraries, in bytes: measured, and what its numbers alone take."""
    dense = _measured("dense")
    for pattern, block in BLOCKS.items():
        sparse = _measured(pattern)
        # Every layer's output once; what is short-lived beside that counts as overhead.
        needed = BYTES_PER_EDGE * sparse["parameters"] + 4 * BATCH * sum(NEURONS)
        yield {
            "neurons": NEURONS,
            "out_degrees": OUT_DEGREES,
            "pattern": pattern,
            "block": list(block),
            "batch": BATCH,
            "sparse_parameters": sparse["parameters"],
            "dense_parameters": dense["parameters"],
            "sparse_peak_bytes": sparse["peak_bytes"],
            "dense_peak_bytes": dense["peak_bytes"],
            "needed_bytes": needed,
            "ratio": dense["peak_bytes"] / sparse["peak_bytes"],
            "over_needed": sparse["peak_bytes"] / needed,
            "target": MEMORY,
            "met": sparse["peak_bytes"] <= MEMORY * needed,
        }


def _measured(kind: str) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks.memory", kind]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak_bytes() -> int:
    """The highest resident memory of this process so far (Linux: VmHWM, in KiB)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _step(kind: str) -> dict[str, int]:
    import torch

    from offramp.nn import MLP

    torch.set_num_threads(1)

    def steps(model: torch.nn.Module, width: int, n: int) -> None:
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        x, labels = torch.randn(BATCH, width), torch.randint(0, 10, (BATCH,))
        for _ in range(n):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), labels).backward()
            optimizer.step()

    small = MLP([64, 32, 16], [8, 16], pattern="block", block=(4, 4))
    steps(small, 64, 2)  # loads the libraries' own memory
    before = _peak_bytes()
    if kind == "dense":
        model = MLP(NEURONS)
    else:
        block = None if kind == "random" else BLOCKS[kind]
        model = MLP(NEURONS, OUT_DEGREES, pattern=kind, block=block)
    steps(model, NEURONS[0], 3)
    parameters = sum(p.numel() for p in model.parameters())
    return {"parameters": parameters, "peak_bytes": _peak_bytes() - before}


if __name__ == "__main__":
    print(json.dumps(_step(sys.argv[1])))
