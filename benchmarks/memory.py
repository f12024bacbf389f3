"""Peak memory of a training step, sparse against its dense twin, each in a process of its own.

Run as a module, it is that process: it prints by how many bytes the peaks of building the network and of its
steps exceed the resident memory before (Linux only).
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
    """What building and training take beyond the libraries, in bytes, and what the numbers alone take."""
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
            "building_peak_bytes": sparse["building_peak_bytes"],
            "needed_bytes": needed,
            "ratio": dense["peak_bytes"] / sparse["peak_bytes"],
            "over_needed": sparse["peak_bytes"] / needed,
            "target": MEMORY,
            "met": sparse["peak_bytes"] <= MEMORY * needed,
        }


def _measured(kind: str) -> dict[str, int]:
    command = [sys.executable, "-m", "benchmarks.memory", kind]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _status_bytes(key: str) -> int:
    """Of this process, Linux: VmRSS, its resident memory now, or VmHWM, the most since `_forget_peak`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _model_and_steps(kind: str) -> dict[str, int]:
    import torch

    from benchmarks.steps import autograd_step, our_step
    from offramp.nn import MLP

    torch.set_num_threads(1)

    def steps(model: MLP) -> None:
        x, labels = torch.randn(BATCH, model.neurons[0]), torch.randint(0, 10, (BATCH,))
        step = (autograd_step if kind == "dense" else our_step)(model, x, labels)
        for _ in range(3):
            step()

    pattern, block = ("random", None) if kind == "random" else ("block", (4, 4))
    steps(MLP([64, 32, 16], [8, 16], pattern=pattern, block=block))  # loads the libraries' own memory
    before = _status_bytes("VmRSS")
    _forget_peak()
    model = MLP(NEURONS) if kind == "dense" else MLP(NEURONS, OUT_DEGREES, pattern=pattern, block=block)
    building = _status_bytes("VmHWM") - before
    _forget_peak()
    steps(model)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "building_peak_bytes": building,
        "peak_bytes": _status_bytes("VmHWM") - before,
    }


if __name__ == "__main__":
    print(json.dumps(_model_and_steps(sys.argv[1])))
