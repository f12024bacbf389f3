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

from offramp.bundle import Layer, LinearLayer, Part, ReluLayer, SparseLinearLayer
from offramp.export.onnx.graph import Graph

_MANY = 1 << 20  # products of a Gemm
_THIN = 1 / 64  # density


def add_layers(graph: Graph, part: Part, value: str) -> str:
    """The part's layers, reading `value` (n, n_in); the name of what they give."""
    for i, layer in enumerate(part.layers):
        value = _add(graph, part, i, layer, value)
    return value


def gathers(layer: SparseLinearLayer) -> bool:
    """Whether a sparse junction takes the form "gather"."""
    n_dense = layer.n_in * layer.n_out
    return n_dense > _MANY and layer.n_edges <= _THIN * n_dense


def _add(graph: Graph, part: Part, i: int, layer: Layer, x: str) -> str:
    if isinstance(layer, ReluLayer):
        return graph.node("Relu", x)
    if isinstance(layer, LinearLayer):
        weight, bias = graph.arrays(part, i, "weight", "bias")
        return graph.node("Gemm", x, weight, bias, transB=1)
    return (add_gather if gathers(layer) else add_gemm)(graph, part, i, layer, x)


def add_gemm(graph: Graph, part: Part, i: int, layer: SparseLinearLayer, x: str) -> str:
    """A sparse junction in the form "Gemm"."""
    weight, table, bias = graph.arrays(part, i, "weight", "table", "bias")
    (r, c), rows, columns = layer.block, layer.n_out // layer.block[1], layer.in_degree // layer.block[0]
    blocks = layer.n_in // r
    index = graph.node("Cast", table, to=graph.INT64)
    index = graph.node("Reshape", index, graph.sizes(rows, columns, 1))
    index = graph.node("Expand", index, graph.sizes(rows, columns, r * c))
    dense = graph.node("ConstantOfShape", graph.sizes(rows, blocks, r * c))  # of zeros
    dense = graph.node("ScatterElements", dense, index, weight, axis=1)
    dense = graph.node("Reshape", dense, graph.sizes(rows, blocks, r, c))
    dense = graph.node("Transpose", dense, perm=[1, 2, 0, 3])
    dense = graph.node("Reshape", dense, graph.sizes(layer.n_in, layer.n_out))
    return graph.node("Gemm", x, dense, bias)


def add_gather(graph: Graph, part: Part, i: int, layer: SparseLinearLayer, x: str) -> str:
    """A sparse junction in the form "gather"."""
    weight, table, bias = graph.arrays(part, i, "weight", "table", "bias")
    (r, c), rows, columns = layer.block, layer.n_out // layer.block[1], layer.in_degree // layer.block[0]
    x = graph.node("Reshape", x, graph.sizes(-1, layer.n_in // r, r))
    x = graph.node("Transpose", x, perm=[1, 0, 2])  # (n_in/r, n, r): what is gathered lies together
    x = graph.node("Gather", x, graph.node("Cast", table, to=graph.INT64))  # (n_out/c, in_degree/r, n, r)
    x = graph.node("Transpose", x, perm=[0, 2, 1, 3])
    x = graph.node("Reshape", x, graph.sizes(rows, -1, columns * r))
    weight = graph.node("Reshape", weight, graph.sizes(rows, columns * r, c))
    y = graph.node("MatMul", x, weight)  # (n_out/c, n, c)
    y = graph.node("Transpose", y, perm=[1, 0, 2])
    y = graph.node("Reshape", y, graph.sizes(-1, layer.n_out))
    return graph.node("Add", y, bias) if bias else y
