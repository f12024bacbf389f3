# mypy: allow-untyped-calls
# (Torch leaves Tensor.backward without types.)
"""One step of training: by Torch's autograd, or in one native call for models that it can take."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import Adam

from offramp.kernels import MAX_LAYERS, Trained, TrainLayer, TrainStep
from offramp.nn import MLP, Exit, SparseLinear, SplitModel
from offramp.nn.large_blocks import are_large
from offramp.train.adam import AdamState
from offramp.train.distil import TEMPERATURE
from offramp.train.losses import joint_loss

_CONTAINERS = (nn.Sequential, MLP, Exit)  # exactly these: a subclass may compute something else
_LAYERS = (SparseLinear, nn.Linear)
_MANY_DENSE_WEIGHTS = 180_000  # [784, 100, 10] gains by the native step, [784, 400, 10] loses by it
_MANY_MACS = 16_000_000  # forward, in a step: about a millisecond of the native step


class Step(Protocol):
    """What a training loop calls."""

    def __call__(self, x: Tensor, targets: Tensor, rows: Tensor) -> float:
        """Train on the samples `rows` (batch,) of x (n, n_in); gives their loss before.

        Args:
            targets: labels (n,), or shares of the classes (n, n_classes) float32.
        """


class AutogradStep:
    """Forward, loss, backward and Adam by Torch, for any model.

    Args:
        exit_weight: of the exits' mean loss beside the tail's 1.
        self_distillation, temperature: what exits learn from the tail, see `Recipe`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Adam,
        *,
        exit_weight: float,
        self_distillation: float = 0.0,
        temperature: float = TEMPERATURE,
    ) -> None:
        self._model, self._optimizer = model, optimizer
        self._loss = partial(
            joint_loss,
            exit_weight=exit_weight,
            self_distillation=self_distillation,
            temperature=temperature,
        )

    def __call__(self, x: Tensor, targets: Tensor, rows: Tensor) -> float:
        loss = self._loss(self._model(x.index_select(0, rows)), targets.index_select(0, rows))
        value = loss.item()
        if math.isfinite(value):  # else the weights stay what they are
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
        return value


class FusedStep:
    """Forward, loss, backward and Adam in one native call, on the memory of a model and its optimizer.

    Gives the losses and weights of the autograd path up to rounding. Parameters and the optimizer's state
    are changed in place, so a checkpoint of either path goes on under the other.

    Args:
        model: one that `qualifies`.
        optimizer: Adam over all parameters of the model, or its state alone, which is made if there is none.
        exit_weight: of the exit's loss beside the tail's 1.
        isa: one of `kernels.available_isas()`, None for the best.
    """

    def __init__(
        self, model: nn.Module, optimizer: Adam | AdamState, *, exit_weight: float, isa: str | None = None
    ) -> None:
        self._optimizer, self._isa = optimizer, isa
        stacks = {name: self._stack(part) for name, part in _parts(model).items()}
        self._native = TrainStep(**stacks, exit_weight=exit_weight)
        self._steps = [optimizer.state[p]["step"].numpy() for p in model.parameters()]

    def __call__(self, x: Tensor, targets: Tensor, rows: Tensor) -> float:
        for step in self._steps:
            step += 1  # in place: the optimizer's own tensors
        group = self._optimizer.param_groups[0]
        beta1, beta2 = group["betas"]
        return self._native(
            x.numpy(),
            targets.numpy(),
            rows.numpy(),
            learning_rate=group["lr"],
            step=int(self._steps[0]),
            beta1=beta1,
            beta2=beta2,
            epsilon=group["eps"],
            isa=self._isa,
        )

    def _stack(self, part: nn.Module) -> list[TrainLayer]:
        leaves = list(_leaves(part))
        followers = [*leaves[1:], None]
        return [
            TrainLayer(
                n_in=layer.in_features,
                n_out=layer.out_features,
                weight=self._trained(layer.weight),
                bias=None if layer.bias is None else self._trained(layer.bias),
                pattern=layer.pattern if isinstance(layer, SparseLinear) else None,
                relu=isinstance(follower, nn.ReLU),
            )
            for layer, follower in zip(leaves, followers, strict=True)
            if isinstance(layer, _LAYERS)
        ]

    def _trained(self, parameter: Tensor) -> Trained:
        state = self._optimizer.state[parameter]
        if not state:  # as Adam would make it at its first step
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        return Trained(parameter.detach().numpy(), state["exp_avg"].numpy(), state["exp_avg_sq"].numpy())


def qualifies(model: nn.Module) -> bool:
    """Whether the native step computes what this model does, and all of it is to be trained.

    That is: a `SplitModel` without inner exits or one chain of SparseLinear, Linear and ReLU in plain
    containers, each chain beginning with a linear layer, at most 64 of them; float32 on the CPU; no hook, no
    shared and no frozen parameter. An encoder belongs to the tail's chain.
    """
    if type(model) is not SplitModel and type(model) not in _CONTAINERS:
        return False
    if isinstance(model, SplitModel) and model.inner_exits:
        return False
    leaves = [list(_leaves(part)) for part in _parts(model).values()]
    parameters = [p for chain in leaves for leaf in chain for p in leaf.parameters()]
    return (
        all(chain and type(chain[0]) in _LAYERS for chain in leaves)
        and all(type(leaf) in (*_LAYERS, nn.ReLU) for chain in leaves for leaf in chain)
        and sum(type(leaf) in _LAYERS for chain in leaves for leaf in chain) <= MAX_LAYERS
        and not any(_has_hooks(module) for module in model.modules())
        and len({id(p) for p in parameters}) == len(parameters)
        and all(p.requires_grad and p.is_contiguous() for p in parameters)
        and {(p.device.type, p.dtype) for p in parameters} == {("cpu", torch.float32)}
    )


def is_faster(model: nn.Module, *, batch_size: int) -> bool:
    """Whether the native step, which runs on one thread, beats autograd on all of Torch's.

    On one thread and on two it does, unless most of its work is dense: large dense layers are for BLAS. More
    threads gain where a step has work enough for them.
    """
    if sum(_dense_weights(layer) for layer in model.modules()) > _MANY_DENSE_WEIGHTS:
        return False
    n_macs = batch_size * sum(p.numel() for p in model.parameters())
    return torch.get_num_threads() <= 2 or n_macs < _MANY_MACS


def _dense_weights(layer: nn.Module) -> int:
    if isinstance(layer, SparseLinear):
        return layer.weight.numel() if are_large(layer.table.numel(), layer.r, layer.c) else 0
    return layer.weight.numel() if isinstance(layer, nn.Linear) else 0


def _parts(model: nn.Module) -> dict[str, nn.Module]:
    if isinstance(model, SplitModel):
        tail = model.tail if model.encoder is None else nn.Sequential(model.encoder, model.tail)
        return {"head": model.head, "exit": model.exit, "tail": tail}
    return {"tail": model}


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    """What the containers hold, in order; anything that is no such container as it is."""
    if isinstance(module, nn.Sequential) and type(module) in _CONTAINERS:
        for child in module:  # not children(), which names a module that stands twice only once
            yield from _leaves(child)
    else:
        yield module


def _has_hooks(module: nn.Module) -> bool:
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, name) for name in hooks)
