"""Whole training steps of a network: forward, loss, backward and Adam."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import peers
from benchmarks.rows import Row, row
from benchmarks.timing import Work, interleaved
from offramp.nn import MLP, SparseLinear
from offramp.pattern import overall_density
from offramp.train.step import FusedStep

LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Network:
    neurons: tuple[int, ...]
    out_degrees: tuple[int, ...]
    small: tuple[int, ...]  # a dense network with as many parameters
    block: tuple[int, int] = (1, 1)
    batch: int = 256

    def model(self) -> MLP:
        pattern, block = ("random", None) if self.block == (1, 1) else ("block", self.block)
        return MLP(list(self.neurons), list(self.out_degrees), pattern=pattern, block=block)

    def __str__(self) -> str:
        how = "random" if self.block == (1, 1) else "blocks up to {}x{}".format(*self.block)
        return f"step of {list(self.neurons)}, out-degrees {list(self.out_degrees)}, {how}"


STEPS = [
    Network(*shape, block=block)
    for shape in (
        ((800, 40, 40, 10), (2, 9, 10), (800, 3, 10)),
        ((1024, 1024, 1024, 10), (128, 128, 10), (1024, 265, 10)),
    )
    for block in ((1, 1), (4, 4))
]
QUICK = STEPS[:1]


def rows(network: Network, *, budget_s: float) -> Iterator[Row]:
    """Our step against a dense twin, a masked one, SparseLab and a dense network of as many parameters."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = network.model()
    x = torch.randn(network.batch, network.neurons[0])
    labels = torch.randint(0, network.neurons[-1], (network.batch,))
    expected = _losses(our_step(copy.deepcopy(model), x, labels))

    works: dict[str, Work] = {}
    notes: dict[str, str] = {}
    n_parameters = sum(p.numel() for p in model.parameters())
    small = MLP(list(network.small))
    assert abs(sum(p.numel() for p in small.parameters()) / n_parameters - 1) < 0.01
    works["small dense"] = autograd_step(small, x, labels)
    for peer, twin in _TWINS.items():
        try:
            work = autograd_step(_with_layers(model, twin), x, labels)
        except ImportError as error:
            notes[peer] = peers.absent(error)
            continue
        # The dense twin starts at the same weights and then trains those outside the pattern too.
        n = 1 if peer == "torch dense" else len(expected)
        peers.check_same(peer, "losses of a step", _losses(work)[:n], expected[:n])
        works[peer] = work
    ratios = interleaved(our_step(model, x, labels), works, budget_s=budget_s)
    for peer in ("torch dense", "small dense", "masked dense", "sparselab", "ours, autograd"):
        yield row(
            "step",
            network.neurons[0],
            network.neurons[-1],
            density=overall_density(list(network.neurons), list(network.out_degrees)),
            batch=network.batch,
            threads=1,
            block=network.block,
            pattern="random" if network.block == (1, 1) else "block",
            peer=peer,
            ratio=ratios[peer] if peer in ratios else notes[peer],
            neurons=list(network.neurons),
            out_degrees=list(network.out_degrees),
            peer_neurons=list(network.small if peer == "small dense" else network.neurons),
        )


def our_step(model: MLP, x: Tensor, labels: Tensor) -> Callable[[], Tensor]:
    """The native step that `fit` takes for such a model; unlike the peers it gathers its batch too."""
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    step, chosen = FusedStep(model, optimizer, exit_weight=0.0), torch.arange(len(x))
    return lambda: torch.tensor(step(x, labels, chosen))


def autograd_step(model: nn.Module, x: Tensor, labels: Tensor) -> Callable[[], Tensor]:
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def _losses(step: Callable[[], Tensor], n: int = 5) -> Tensor:
    return torch.stack([step() for _ in range(n)])


# --- Twins ------------------------------------------------------------------------------------------------


class _Masked(nn.Module):
    """A dense layer with a mask, as most sparse training is written."""

    def __init__(self, layer: SparseLinear) -> None:
        super().__init__()
        self.linear = layer.to_dense()
        self.register_buffer("mask", (self.linear.weight != 0).float())

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.linear.weight * self.mask, self.linear.bias)


def _sparselab(layer: SparseLinear) -> nn.Module:
    """SparseLab's layer draws its own pattern; ours goes in where its constructor puts that."""
    import sparselab

    density = layer.pattern.density
    theirs = sparselab.SparseLinear(layer.in_features, layer.out_features, sparsity=1 - density)
    theirs._csr = sparselab.PaddedCSR.from_torch_sparse_csr(layer.to_dense().weight.detach().to_sparse_csr())
    theirs._values = nn.Parameter(torch.from_numpy(np.asarray(theirs._csr.values)))
    theirs.bias.data.copy_(layer.bias.data)
    return theirs


_TWINS: dict[str, Callable[[SparseLinear], nn.Module]] = {
    "ours, autograd": copy.deepcopy,
    "torch dense": SparseLinear.to_dense,
    "masked dense": _Masked,
    "sparselab": _sparselab,
}


def _with_layers(model: MLP, twin: Callable[[SparseLinear], nn.Module]) -> nn.Sequential:
    """The model with each sparse layer replaced by its twin; dense layers and ReLUs are copied."""
    layers: list[Any] = [m for m in model.modules() if isinstance(m, SparseLinear | nn.Linear | nn.ReLU)]
    return nn.Sequential(
        *(twin(layer) if isinstance(layer, SparseLinear) else copy.deepcopy(layer) for layer in layers)
    )
