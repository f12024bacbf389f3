"""Between Torch modules and the parts of a bundle."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from offramp.bundle import Layer, LinearLayer, Part, ReluLayer, SparseLinearLayer
from offramp.errors import ConfigError
from offramp.nn.sparse_linear import SparseLinear
from offramp.nn.split import SplitModel
from offramp.pattern import Pattern


def to_parts(model: SplitModel) -> dict[str, Part]:
    """The parts "head", "exit" and "tail" of a split model, with copies of its arrays.

    Raises:
        ConfigError: a module that a bundle cannot hold; the text names it.
    """
    return {name: to_part(getattr(model, name), name=name) for name in ("head", "exit", "tail")}


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
    for path, leaf in _leaves(name, module):
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


def from_parts(head: Part, exit: Part, tail: Part) -> SplitModel:
    """The split model that computes what the parts hold, ready to be evaluated or trained on."""
    return SplitModel(_to_module(head), _to_module(exit), _to_module(tail))


def _leaves(path: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The layers inside nested `nn.Sequential`s, in order, each with its path."""
    if isinstance(module, nn.Sequential):
        for index, child in enumerate(module):  # named_children() would name a ReLU used twice only once
            yield from _leaves(f"{path}.{index}", child)
    else:
        yield path, module


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
