"""Both forms of a sparse junction in ONNX, in onnxruntime on one core: `python -m benchmarks.onnx_forms`.

Microseconds of a call, the best of those in a quarter of a second, and our own kernel beside them; `form` is
the one that an export takes. See offramp/export/onnx/layers.py.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime

from offramp import pattern
from offramp.bundle import Part, SparseLinearLayer
from offramp.export import to_onnx
from offramp.export.onnx import layers
from offramp.runtime import Network

JUNCTIONS = (  # n_in, n_out, out_degree, block
    (256, 128, 8, (1, 1)),
    (784, 112, 28, (4, 4)),
    (800, 400, 4, (1, 1)),
    (1024, 1024, 32, (1, 1)),
    (1024, 1024, 32, (4, 4)),
    (2048, 2048, 16, (1, 1)),
    (2048, 2048, 16, (4, 4)),
    (4096, 4096, 64, (16, 16)),
)
ROWS = (1, 32)
BUDGET_S = 0.25


def main() -> None:
    print(f"onnxruntime {onnxruntime.__version__}; us a call: Gemm / gather / our kernel")
    print(f"{'junction':>14} {'density':>8} {'block':>7}  form  ", *(f"{n:>4} rows" + " " * 15 for n in ROWS))
    for n_in, n_out, out_degree, block in JUNCTIONS:
        part = _part(n_in, n_out, out_degree, block)
        (layer,) = part.layers
        assert isinstance(layer, SparseLinearLayer)
        works = {"Gemm": _session(part, gathers=False), "gather": _session(part, gathers=True)}
        form, own = "gather" if layers.gathers(layer) else "Gemm", Network(part)
        cells = []
        for n in ROWS:
            x = np.random.default_rng(n).standard_normal((n, n_in), np.float32)
            times = [_best_s(partial(work, x)) for work in (*works.values(), own)]
            cells.append(" / ".join(f"{1e6 * seconds:6.0f}" for seconds in times))
        name, blocks = f"{n_in} -> {n_out}", "x".join(map(str, block))
        print(f"{name:>14} {out_degree / n_out:8.4f} {blocks:>7}  {form:6}", "   ".join(cells))


def _part(n_in: int, n_out: int, out_degree: int, block: tuple[int, int]) -> Part:
    made = pattern.block(n_in, n_out, out_degree, block=block, seed=1)
    layer = SparseLinearLayer(n_in, n_out, out_degree, block, False, made.digest())
    shape = (*made.table.shape, block[0] * block[1])
    weight = np.random.default_rng(1).standard_normal(shape, np.float32)
    return Part((layer,), {"0.weight": weight, "0.table": made.table})


def _session(part: Part, *, gathers: bool) -> Callable[[np.ndarray], Any]:
    with patch.object(layers, "gathers", lambda layer: gathers):
        model = to_onnx(part, name="junction", reads="x", writes="y")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {"x": x})


def _best_s(work: Callable[[], Any]) -> float:
    best, until = np.inf, time.perf_counter() + BUDGET_S
    while time.perf_counter() < until:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return float(best)


if __name__ == "__main__":
    main()
