"""A junction of few large blocks, each a dense matrix product by Torch's BLAS.

Shapes as in `ops`. In one large block nothing is sparse, and BLAS keeps its parts in the cache as kernels for
small blocks do not: 1024 to 1024 as one block took 9 ms natively and 3 ms so (batch 256, one thread).
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from offramp.pattern import LARGE_BLOCK


def are_large(n_blocks: int, r: int, c: int) -> bool:
    """Whether so many blocks of r inputs by c outputs are worth a matrix product each."""
    return n_blocks == 1 or min(r, c) >= LARGE_BLOCK


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, table: Tensor, r: int, c: int) -> Tensor:
    """y (batch, n_out)."""
    if table.numel() == 1:
        product = weight.view(r, c)
        return x @ product if bias is None else torch.addmm(bias, x, product)
    y = x.new_empty((x.shape[0], len(table) * c))
    for outputs, inputs, at in _runs(table, r, c):
        part = y[:, outputs]
        if at[1].start:
            part.addmm_(x[:, inputs], weight[at].view(-1, c))
        elif bias is None:
            torch.mm(x[:, inputs], weight[at].view(-1, c), out=part)
        else:
            torch.addmm(bias[outputs], x[:, inputs], weight[at].view(-1, c), out=part)
    return y


def grad_input(dy: Tensor, weight: Tensor, table: Tensor, n_in: int, r: int, c: int) -> Tensor:
    """dx (batch, n_in)."""
    if table.numel() == 1:
        return dy @ weight.view(r, c).t()
    dx = dy.new_zeros((dy.shape[0], n_in))
    for outputs, inputs, at in _runs(table, r, c):
        dx[:, inputs].addmm_(dy[:, outputs], weight[at].view(-1, c).t())
    return dx


def grad_weight(x: Tensor, dy: Tensor, table: Tensor, r: int, c: int) -> tuple[Tensor, Tensor]:
    """dweight, shaped like weight, and dbias (n_out,)."""
    if table.numel() == 1:  # an output to write into makes it slower
        return torch.mm(x.t(), dy).view(1, 1, r * c), dy.sum(0)
    dweight = x.new_empty((*table.shape, r * c))
    for outputs, inputs, at in _runs(table, r, c):
        torch.mm(x[:, inputs].t(), dy[:, outputs], out=dweight[at].view(-1, c))
    return dweight, dy.sum(0)


def _runs(table: Tensor, r: int, c: int) -> Iterator[tuple[slice, slice, tuple[int, slice]]]:
    """Outputs, inputs and place in the table of every run of neighbouring blocks: one product each."""
    for o, row in enumerate(table.tolist()):
        start = 0
        for k in range(1, len(row) + 1):
            if k == len(row) or row[k] != row[k - 1] + 1:
                inputs = slice(row[start] * r, (row[k - 1] + 1) * r)
                yield slice(o * c, (o + 1) * c), inputs, (o, slice(start, k))
                start = k
