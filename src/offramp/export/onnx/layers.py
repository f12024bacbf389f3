"""The layers of a part as nodes of ONNX: standard operators only.

A sparse junction has two forms, chosen by size and density. In both, the file holds the weights as the bundle
does, and every index once.

- **Gemm**: the dense weight is put together from constants, which onnxruntime does once, when it loads the
  model. A row then costs all n_in · n_out products, at the speed of a matrix product.
- **gather**: the inputs of each block of outputs are gathered, then multiplied as a batch of small matrices.
  A row costs its edges only, but each of them as much as dozens of products in a Gemm.

`python -m benchmarks.onnx_forms` measures both, on one core. For one row, Gemm is the faster one up to a
million products whatever the density, and beyond that where more than one edge in a hundred or so is there.
Einsum in place of the small matrices, Mul and ReduceSum, and a product for each row were tried as well: they
are as fast as one of these two, or far slower.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from offramp.bundle import Part, ReluLayer, SparseLinearLayer
from offramp.export.onnx.graph import Graph

_MANY = 1 << 20  # products of a Gemm
_THIN = 1 / 64  # density


class Sparse(Protocol):
    """The shape of a sparse junction; its table is (n_out/c, in_degree/r), the block (r, c)."""

    @property
    def n_in(self) -> int: ...
    @property
    def n_out(self) -> int: ...
    @property
    def in_degree(self) -> int: ...
    @property
    def n_edges(self) -> int: ...
    @property
    def block(self) -> tuple[int, int]: ...


def gathers(junction: Sparse) -> bool:
    """Whether a sparse junction takes the form "gather"."""
    n_dense = junction.n_in * junction.n_out
    return n_dense > _MANY and junction.n_edges <= _THIN * n_dense


def add_layers(
    graph: Graph, name: str, part: Part, x: str, *, start: int = 0, stop: int | None = None
) -> str:
    """Layers `start` up to, not including, `stop` of the part of this name, reading x (n, width)."""
    for i, layer in list(enumerate(part.layers))[start:stop]:
        if isinstance(layer, ReluLayer):
            x = graph.node("Relu", x)
            continue
        weight, table, bias = (
            graph.constant(f"{name}.{i}.{kind}", part.arrays[f"{i}.{kind}"])
            if f"{i}.{kind}" in part.arrays
            else ""
            for kind in ("weight", "table", "bias")
        )
        if isinstance(layer, SparseLinearLayer):
            x = _add_sparse(graph, layer, weight, table, bias, x)
        else:
            x = graph.node("Gemm", x, weight, bias, transB=1)
    return x


def _add_sparse(graph: Graph, layer: Sparse, weight: str, table: str, bias: str, x: str) -> str:
    if gathers(layer):
        y = gathered(graph, layer, weight, table, x)
        return graph.node("Add", y, bias) if bias else y
    return graph.node("Gemm", x, dense(graph, layer, weight, table, np.float32), bias)


def dense(graph: Graph, junction: Sparse, weight: str, table: str, dtype: npt.DTypeLike) -> str:
    """The weights, of this type, of a sparse junction as a matrix (n_in, n_out)."""
    (r, c), (rows, columns) = junction.block, _table(junction)
    blocks = junction.n_in // r
    index = graph.node("Reshape", graph.cast(table, np.int64), graph.integers(rows, columns, 1))
    index = graph.node("Expand", index, graph.integers(rows, columns, r * c))
    whole = graph.zeros(dtype, rows, blocks, r * c)
    whole = graph.node("ScatterElements", whole, index, weight, axis=1)
    whole = graph.node("Reshape", whole, graph.integers(rows, blocks, r, c))
    whole = graph.node("Transpose", whole, perm=[1, 2, 0, 3])
    return graph.node("Reshape", whole, graph.integers(junction.n_in, junction.n_out))


def gathered(graph: Graph, junction: Sparse, weight: str, table: str, x: str) -> str:
    """The sums (n, n_out) of a sparse junction, of the weights' type and that of x (n, n_in)."""
    (r, c), (rows, columns) = junction.block, _table(junction)
    x = graph.node("Reshape", x, graph.integers(-1, junction.n_in // r, r))
    x = graph.node("Transpose", x, perm=[1, 0, 2])  # (n_in/r, n, r): what is gathered lies together
    x = graph.node("Gather", x, graph.cast(table, np.int64))  # (n_out/c, in_degree/r, n, r)
    x = graph.node("Transpose", x, perm=[0, 2, 1, 3])
    x = graph.node("Reshape", x, graph.integers(rows, -1, columns * r))
    weight = graph.node("Reshape", weight, graph.integers(rows, columns * r, c))
    y = graph.node("MatMul", x, weight)  # (n_out/c, n, c)
    y = graph.node("Transpose", y, perm=[1, 0, 2])
    return graph.node("Reshape", y, graph.integers(-1, junction.n_out))


def _table(junction: Sparse) -> tuple[int, int]:
    r, c = junction.block
    return junction.n_out // c, junction.in_degree // r
