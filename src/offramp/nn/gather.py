"""The junction and its two gradients in plain Torch, for every device that no native kernel serves.

With the features in rows (feature-major), the inputs that a range of output blocks reads are rows picked by
the table, and the range is one batched matrix product over its blocks. Blocks go through in ranges, so the
picked rows stay within `GATHERED_BYTES` however wide the junction is.

Shapes, for blocks of r inputs by c outputs: x (batch, n_in), dy (batch, n_out), weight (n_out/c, in_degree/r,
r*c) with index i*c + j inside a block, table (n_out/c, in_degree/r), reverse_table (n_in/r, out_degree/c).
Tables may be of any whole-number dtype; the other tensors are of one floating-point dtype, all on one device.
Sums are taken as the device's matrix product takes them: for float16 and bfloat16 mostly in float32.

Source: arXiv:2407.11763, section III; Dey et al., arXiv:1812.01164, section II.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

GATHERED_BYTES = 256 * 2**20
"""What the rows picked for one range take at most, or as much as x where one block of outputs needs it."""

# Kernels for batched products have put the batch on a grid axis, which CUDA ends at 65535
# (github.com/pytorch/pytorch/pull/46001).
_MAX_BLOCKS = 2**15


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor, r: int, c: int) -> Tensor:
    """y (batch, n_out): bias[o] + the sum over the edges of o of weight * x[b, input of the edge]."""
    n_blocks = len(table)
    turned = weight.reshape(n_blocks, -1, c).transpose(1, 2)  # (n_out/c, c, in_degree)
    offsets = None if bias is None else bias.reshape(n_blocks, c, 1)
    y = x.new_empty(len(x), n_blocks, c)
    for blocks, rows in _gathered(x, table, r):
        if offsets is None:
            product = torch.bmm(turned[blocks], rows)  # (range, c, batch)
        else:
            product = torch.baddbmm(offsets[blocks], turned[blocks], rows)  # the bias before any rounding
        y[:, blocks] = product.permute(2, 0, 1)
    return y.reshape(len(x), n_blocks * c)


def grad_input(dy: Tensor, weight: Tensor, table: Tensor, reverse_table: Tensor, r: int, c: int) -> Tensor:
    """dx (batch, n_in) of `forward`: the same sum, run over the reverse table with every block turned.

    Adding each block's share to its inputs (`index_add_`) would need no reverse table, but on a GPU it adds
    with atomics, in another order every time. This sum has a fixed order, so it gives the same bits again.
    """
    # Sorted by input block, then by place: where in `table` (flat) the connections of `reverse_table` stand.
    position = table.flatten().long().argsort(stable=True)
    turned = weight.reshape(-1, r, c)[position].transpose(1, 2)  # (n_edges/(r*c), c, r)
    return forward(dy, turned.reshape(*reverse_table.shape, c * r), None, reverse_table, c, r)


def grad_weight(x: Tensor, dy: Tensor, table: Tensor, r: int, c: int) -> tuple[Tensor, Tensor]:
    """dweight and dbias (n_out,) of `forward`, summed over the batch."""
    n_blocks, width = table.shape
    by_block = dy.reshape(len(dy), n_blocks, c).transpose(0, 1)  # (n_out/c, batch, c)
    dw = x.new_empty(n_blocks, width * r, c)
    for blocks, rows in _gathered(x, table, r):
        dw[blocks] = torch.bmm(rows, by_block[blocks])  # (range, in_degree, c)
    return dw.reshape(n_blocks, width, r * c), dy.sum(0)


def _gathered(x: Tensor, table: Tensor, r: int) -> Iterator[tuple[slice, Tensor]]:
    """Ranges of output blocks, each with the rows (range, in_degree, batch) of feature-major x it reads."""
    batch = len(x)
    features = x.t().reshape(x.shape[1] // r, r * batch)  # copied: a block of inputs is one contiguous row
    n_blocks, width = table.shape
    block_bytes = width * r * batch * x.element_size()
    n = min(_MAX_BLOCKS, max(1, GATHERED_BYTES // max(1, block_bytes)))
    for start in range(0, n_blocks, n):
        blocks = slice(start, min(start + n, n_blocks))
        chosen = table[blocks].long()
        yield blocks, features.index_select(0, chosen.flatten()).view(len(chosen), width * r, batch)
