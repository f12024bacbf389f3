"""Between Torch modules and the parts of a bundle."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from offramp.bundle import Layer, LinearLayer, Part, ReluLayer, SparseLinearLayer
from offramp.errors import ConfigError
from offramp.nn.leaves import leaves
from offramp.nn.sparse_linear import SparseLinear
from offramp.nn.split import SplitModel
from offramp.pattern import Pattern


def to_parts(model: SplitModel) -> dict[str, Part]:
    """The parts of a split model, with copies of its arrays.

    They are "head", "exit" and "tail"; where the model has them "encoder", and inner exits under the names of
    `SplitModel.exit_names`, as in "exit-head-2".

    Raises:
        ConfigError: a module that a bundle cannot hold; the text names it.
    """
    modules = {"head": model.head, "exit": model.exit, "tail": model.tail}
    if model.encoder is not None:
        modules["encoder"] = model.encoder
    return {name: to_part(module, name=name) for name, module in {**modules, **model.exits}.items()}


def to_part(module: nn.Module, *, name: str) -> Part:
    """One part, where the others stay what they are: a tail served from Torch, say.

    Args:
        module: SparseLinear, Linear and ReLU in nested `nn.Sequential`s.
        name: what an error calls it.

    Raises:
        ConfigError: a module that a bundle cannot hold; the text names it.
    """
    layers: list[Layer] = []
    arrays: dict[str, npt.NDArray[Any]] = {}
    for path, leaf in leaves(name, module):
        index = len(layers)
        match leaf:
            case SparseLinear():
                layers.append(_sparse_layer(leaf))
                arrays[f"{index}.table"] = leaf.pattern.table
            case nn.Linear():
                layers.append(LinearLayer(leaf.in_features, leaf.out_features, leaf.bias is not None))
            case nn.ReLU():
                layers.append(ReluLayer())
            case _:
                raise ConfigError(
                    f"{path} is a {type(leaf).__name__}, a bundle holds SparseLinear, Linear and ReLU; "
                    "replace it, or serve this part as a callable of your own"
                )
        for parameter, value in leaf.named_parameters():
            arrays[f"{index}.{parameter}"] = _array(value)
    return Part(tuple(layers), arrays)


def from_parts(
    head: Part, exit: Part, tail: Part, encoder: Part | None = None, **inner_exits: Part
) -> SplitModel:
    """The split model that computes what the parts hold, ready to be evaluated or trained on.

    `from_parts(**to_parts(model))` is the model again.

    Raises:
        ConfigError: the name of an inner exit that is none, or at which there is no layer.
    """
    return SplitModel(
        _to_module(head),
        _to_module(exit),
        _to_module(tail),
        encoder=None if encoder is None else _to_module(encoder),
        inner_exits={name.removeprefix("exit-"): _to_module(part) for name, part in inner_exits.items()},
    )


def _sparse_layer(layer: SparseLinear) -> SparseLinearLayer:
    pattern = layer.pattern
    return SparseLinearLayer(
        n_in=pattern.n_in,
        n_out=pattern.n_out,
        out_degree=pattern.out_degree,
        block=pattern.block,
        bias=layer.bias is not None,
        pattern_digest=pattern.digest(),
    )


def _array(value: Tensor) -> npt.NDArray[np.float32]:
    return value.detach().cpu().float().numpy()  # Part copies what could still be written to


def _to_module(part: Part) -> nn.Sequential:
    modules = nn.Sequential(*(_module(layer, part, index) for index, layer in enumerate(part.layers)))
    with torch.no_grad():
        for name, value in modules.named_parameters():
            value.copy_(torch.tensor(part.arrays[name]))
    return modules


def _module(layer: Layer, part: Part, index: int) -> nn.Module:
    match layer:
        case SparseLinearLayer():
            table = part.arrays[f"{index}.table"]
            pattern = Pattern.from_table(layer.n_in, layer.n_out, table, block=layer.block)
            return SparseLinear(layer.n_in, layer.n_out, pattern=pattern, bias=layer.bias)
        case LinearLayer():
            return nn.Linear(layer.n_in, layer.n_out, bias=layer.bias)
        case ReluLayer():
            return nn.ReLU()
