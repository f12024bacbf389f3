"""What the native kernels compute, in plain NumPy and any float type.

Shapes, for blocks of r inputs by c outputs: x (batch, n_in), weight (n_out/c, in_degree/r, r*c) with
index i*c + j inside a block, table (n_out/c, in_degree/r), y (batch, n_out).

Source: arXiv:2407.11763, section III; Dey et al., arXiv:1812.01164, section II.
"""

import numpy as np

from offramp.kernels.types import Block, FloatArray, IndexArray


def forward(
    x: FloatArray, weight: FloatArray, table: IndexArray, bias: FloatArray | None = None, *, block: Block
) -> FloatArray:
    """y[b, o] = bias[o] + the sum over the edges of o of weight * x[b, input of the edge]."""
    r, c = block
    batch, n_blocks = len(x), len(table)
    gathered = x.reshape(batch, x.shape[1] // r, r)[:, table]  # (batch, n_out/c, in_degree/r, r)
    blocks = weight.reshape(*table.shape, r, c)
    y: FloatArray = np.einsum("boki,okij->boj", gathered, blocks).reshape(batch, n_blocks * c)
    return y if bias is None else y + bias


def grad_input(dy: FloatArray, weight: FloatArray, reverse_table: IndexArray, *, block: Block) -> FloatArray:
    """dx of `forward`: the same sum, run over the reverse table with every block transposed."""
    r, c = block
    # Rows of both tables ascend: the edges of the reverse table, ordered by output, are those of the table.
    order = np.argsort(reverse_table.ravel(), kind="stable")
    turned = np.empty((reverse_table.size, c, r), weight.dtype)
    turned[order] = np.swapaxes(weight.reshape(-1, r, c), 1, 2)
    return forward(dy, turned.reshape(*reverse_table.shape, r * c), reverse_table, block=(c, r))


def grad_weight(
    x: FloatArray, dy: FloatArray, table: IndexArray, *, block: Block
) -> tuple[FloatArray, FloatArray]:
    """dweight and dbias of `forward`, summed over the batch."""
    r, c = block
    batch = len(x)
    if not batch:  # einsum over nothing leaves its result as the memory was
        return np.zeros((*table.shape, r * c), x.dtype), np.zeros(len(table) * c, dy.dtype)
    gathered = x.reshape(batch, x.shape[1] // r, r)[:, table]
    dw = np.einsum("boki,boj->okij", gathered, dy.reshape(batch, len(table), c))
    return dw.reshape(*table.shape, r * c), dy.sum(axis=0)
