"""A junction as others compute it: the same numbers from Torch, SciPy and SparseLab.

Every peer has its weights in the form it likes best before the clock starts (a transposed copy for the input
gradient included); what it must do anew in each step, such as masking or turning activations, is timed.
"""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.timing import Work
from offramp.nn import SparseLinear

# Torch says once that CSR is in beta, and that nobody checks indices; `check_same` checks all of it.
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
torch.sparse.check_sparse_tensor_invariants.disable()

WORKS = ("forward", "grad_input", "grad_weight")


@dataclass(frozen=True)
class Problem:
    """A layer with an input and the gradient of its output."""

    layer: SparseLinear
    x: Tensor  # (batch, n_in)
    dy: Tensor  # (batch, n_out)

    @cached_property
    def dense(self) -> Tensor:
        """The layer's weights (n_out, n_in), zero where there is no edge."""
        return self.layer.to_dense().weight.detach()

    @cached_property
    def bias(self) -> Tensor:
        assert self.layer.bias is not None
        return self.layer.bias.detach()

    @cached_property
    def edges(self) -> Tensor:
        """Where the dense matrix has an edge, bool (n_out, n_in)."""
        return self.dense != 0

    @cached_property
    def csr(self) -> Tensor:
        """Torch CSR with 32-bit indices, which its products take no longer with than with 64."""
        wide = self.dense.to_sparse_csr()
        rows, columns = wide.crow_indices().int(), wide.col_indices().int()
        return torch.sparse_csr_tensor(rows, columns, wide.values(), wide.shape)

    @cached_property
    def order(self) -> Tensor:
        """For each edge in CSR order, its place in our flat weight."""
        numbered = copy.deepcopy(self.layer).double()
        numbered.weight.data = (
            torch.arange(1, self.layer.weight.numel() + 1).view_as(self.layer.weight).double()
        )
        return numbered.to_dense().weight.detach()[self.edges].long() - 1


@dataclass(frozen=True)
class Kernel:
    """Work to time; `read` turns its result into what all peers must agree on.

    That is y, dx, or the weight gradients in CSR order followed by the bias gradients.
    """

    run: Work
    read: Callable[[Any], Tensor] = torch.as_tensor


Kernels = dict[str, Kernel | str]  # by work; a string says why the peer has none


def ours(problem: Problem) -> dict[str, Kernel]:
    layer, x, dy = problem.layer, problem.x, problem.dy
    ops, tables = torch.ops.offramp, (layer.table, layer.reverse_table)
    weight, bias, (r, c) = layer.weight.detach(), problem.bias, layer.pattern.block
    return {
        "forward": Kernel(lambda: ops.junction(x, weight, bias, *tables, r, c)),
        "grad_input": Kernel(lambda: ops.junction_grad_input(dy, weight, *tables, r, c)),
        "grad_weight": Kernel(
            lambda: ops.junction_grad_weight(x, dy, *tables, r, c),
            lambda dw_db: torch.cat((dw_db[0].flatten()[problem.order], dw_db[1])),
        ),
    }


def torch_dense(problem: Problem) -> Kernels:
    dense, bias, x, dy = problem.dense, problem.bias, problem.x, problem.dy
    return {
        "forward": Kernel(lambda: nn.functional.linear(x, dense, bias)),
        "grad_input": Kernel(lambda: dy @ dense),
        "grad_weight": Kernel(
            lambda: (dy.t() @ x, dy.sum(0)),
            lambda dw_db: torch.cat((dw_db[0][problem.edges], dw_db[1])),
        ),
    }


def masked_dense(problem: Problem) -> Kernels:
    """`linear(x, weight * mask)` and its gradients as autograd has them, from the product it kept."""
    dense, bias, x, dy = problem.dense, problem.bias, problem.x, problem.dy
    mask, kept = problem.edges.float(), problem.dense.clone()
    return {
        "forward": Kernel(lambda: nn.functional.linear(x, dense * mask, bias)),
        "grad_input": Kernel(lambda: dy @ kept),
        "grad_weight": Kernel(
            lambda: ((dy.t() @ x) * mask, dy.sum(0)),
            lambda dw_db: torch.cat((dw_db[0][problem.edges], dw_db[1])),
        ),
    }


def torch_csr(problem: Problem) -> Kernels:
    """Sparse times dense, the sparse matrix first: with it second, Torch takes five times as long."""
    csr, bias, x, dy = problem.csr, problem.bias, problem.x, problem.dy
    turned = problem.dense.t().contiguous().to_sparse_csr()
    zeros = torch.sparse_csr_tensor(
        csr.crow_indices(), csr.col_indices(), torch.zeros_like(csr.values()), csr.shape
    )
    return {
        "forward": Kernel(
            (lambda: (csr @ x[0] + bias)[None]) if len(x) == 1 else (lambda: (csr @ x.t()).t() + bias)
        ),
        "grad_input": Kernel(lambda: (turned @ dy.t()).t()),
        "grad_weight": Kernel(
            lambda: (torch.sparse.sampled_addmm(zeros, dy.t(), x, beta=0), dy.sum(0)),
            lambda dw_db: torch.cat((dw_db[0].values(), dw_db[1])),
        ),
    }


def scipy_csr(problem: Problem) -> Kernels:
    from scipy import sparse

    csr, x, dy, bias = problem.csr, problem.x.numpy(), problem.dy.numpy(), problem.bias.numpy()
    parts = (csr.values().numpy(), csr.col_indices().numpy(), csr.crow_indices().numpy())
    matrix = sparse.csr_array(parts, shape=csr.shape)
    turned = matrix.T.tocsr()
    return {
        "forward": Kernel(
            (lambda: (matrix @ x[0] + bias)[None]) if len(x) == 1 else (lambda: (matrix @ x.T).T + bias)
        ),
        "grad_input": Kernel(lambda: (turned @ dy.T).T),
        "grad_weight": "SciPy has no product of dense matrices at given places only",
    }


def sparselab(problem: Problem) -> Kernels:
    """Through `spmm`, as its layer does; the weight gradient through the function that its autograd calls.

    It computes on (features, batch): turning the activations is part of the work, as in its layer. The weight
    gradient reads the input that its forward pass has turned already.
    """
    import sparselab
    from sparselab import _core

    bias, x, dy = problem.bias, problem.x, problem.dy
    matrix = sparselab.PaddedCSR.from_torch_sparse_csr(problem.csr)
    turned, x_kept = matrix.transpose(), problem.x.t().contiguous().numpy()
    starts, counts = np.asarray(matrix.row_start), np.asarray(matrix.row_nnz)

    def read(dw_db: tuple[Any, Tensor]) -> Tensor:
        values = [dw_db[0][start : start + n] for start, n in zip(starts, counts, strict=True)]  # no padding
        return torch.cat((torch.as_tensor(np.concatenate(values)), dw_db[1]))

    return {
        "forward": Kernel(lambda: sparselab.spmm(matrix, x.t()).t() + bias),
        "grad_input": Kernel(lambda: sparselab.spmm(turned, dy.t()).t()),
        "grad_weight": Kernel(
            lambda: (_core.spmm_grad_w_simd(matrix, dy.t().contiguous().numpy(), x_kept), dy.sum(0)), read
        ),
    }


def condensed(problem: Problem) -> Kernels:
    """Gather, multiply, sum over the in-degree; SRigL (ICLR 2024) infers with this "condensed" form."""
    csr, bias, x = problem.csr, problem.bias, problem.x
    columns = csr.col_indices().long().view(len(bias), -1)  # (n_out, in_degree)
    weight = csr.values().view_as(columns)
    gathered = 4 * len(x) * columns.numel()
    too_much = f"its gathered input would take {gathered / 2**30:.1f} GiB"
    return {
        "forward": Kernel(lambda: (x[:, columns] * weight).sum(-1) + bias) if gathered <= 2**29 else too_much,
        "grad_input": "a form for inference only",
        "grad_weight": "a form for inference only",
    }


PEERS: dict[str, Callable[[Problem], Kernels]] = {
    "torch dense": torch_dense,
    "torch csr": torch_csr,
    "masked dense": masked_dense,
    "scipy csr": scipy_csr,
    "sparselab": sparselab,
    "condensed": condensed,
}


def kernels_of(peer: str, problem: Problem) -> Kernels:
    """The peer's kernels, or for each work the reason why there is none."""
    try:
        return PEERS[peer](problem)
    except ImportError as error:
        return dict.fromkeys(WORKS, absent(error))


def absent(error: ImportError) -> str:
    return f"{error.name} is not installed; make bench installs it"


def check_same(peer: str, work: str, theirs: Tensor, ours: Tensor, *, tolerance: float = 1e-4) -> None:
    """A peer that computes something else is no peer."""
    error, scale = (theirs - ours).abs().max().item(), ours.abs().max().item()
    if theirs.shape != ours.shape or not error <= tolerance * scale:
        raise RuntimeError(
            f"{peer} and ours differ in {work} by {error:.3g} where the largest value is {scale:.3g}; "
            "a ratio of their times would mean nothing"
        )
