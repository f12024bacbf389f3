"""Parts hold exactly the modules: nothing is lost on the way into a bundle and back."""

import numpy as np
import pytest
import torch
from torch import nn

from offramp.errors import ConfigError
from offramp.nn import (
    MLP,
    Bottleneck,
    SparseLinear,
    SplitModel,
    from_parts,
    split_midpoint,
    to_part,
    to_parts,
)
from offramp.runtime import Network


def _model() -> SplitModel:
    torch.manual_seed(0)
    return split_midpoint(MLP([80, 40, 40, 10], [4, 10, 10], pattern="block", block=(4, 2)), exit_hidden=(6,))


def test_modules_survive_the_way_to_parts_and_back_to_the_bit() -> None:
    model = _model()
    again = from_parts(**to_parts(model))
    x = torch.randn(7, 80)
    for one, other in zip(model(x), again(x), strict=True):
        assert torch.equal(one, other)
    assert to_parts(again) == to_parts(model)


def test_encoder_and_inner_exits_survive_it_too() -> None:
    torch.manual_seed(0)
    bottleneck = Bottleneck(width=4, out_degrees=(2, 20), relu=False)
    inner = {"tail-2": (5,), "head-2": ()}
    mlp = MLP([80, 40, 40, 20, 10], [4, 10, None, None], final_relu=True)
    model = split_midpoint(mlp, inner_exits=inner, bottleneck=bottleneck)
    parts = to_parts(model)
    assert list(parts) == ["head", "exit", "tail", "encoder", "exit-head-2", "exit-tail-2"]
    assert (parts["encoder"].n_in, parts["encoder"].n_out, parts["tail"].n_in) == (40, 4, 4)
    again = from_parts(**parts)
    x = torch.randn(7, 80)
    for one, other in zip(model(x), again(x), strict=True):
        assert torch.equal(one, other)
    assert to_parts(again) == parts
    with pytest.raises(ConfigError, match="inner exit 'head' is no place"):
        from_parts(parts["head"], parts["exit"], parts["tail"], **{"exit-head": parts["exit"]})


def test_parts_count_edges_and_biases() -> None:
    parts = to_parts(_model())
    assert {name: (part.n_in, part.n_out) for name, part in parts.items()} == {
        "head": (80, 40),
        "exit": (40, 10),
        "tail": (40, 10),
    }
    assert parts["head"].n_parameters == 80 * 4 + 40
    assert parts["tail"].n_macs == 40 * 10 + 40 * 10


def test_arrays_are_copies() -> None:
    model = _model()
    parts = to_parts(model)
    before = parts["head"].arrays["0.weight"].copy()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert np.array_equal(parts["head"].arrays["0.weight"], before)
    assert before.any()
    again = from_parts(**parts)
    with torch.no_grad():
        again.head[0].weight.zero_()
    assert np.array_equal(parts["head"].arrays["0.weight"], before)


def test_layers_without_bias_and_nested_sequences_pass() -> None:
    head = nn.Sequential(nn.Sequential(SparseLinear(8, 12, out_degree=6, bias=False)), nn.ReLU())
    model = SplitModel(head, nn.Linear(12, 3, bias=False), nn.Linear(12, 3).double())
    again = from_parts(**to_parts(model))
    x = torch.randn(2, 8)
    assert torch.equal(again.head(x), model.head(x))
    assert sorted(to_parts(model)["exit"].arrays) == ["0.weight"]
    assert to_parts(model)["tail"].arrays["0.weight"].dtype == np.float32


def test_a_module_that_a_bundle_cannot_hold_is_named() -> None:
    model = _model()
    model.tail = nn.Sequential(nn.Linear(40, 10), nn.Sequential(nn.Tanh()))
    with pytest.raises(
        ConfigError, match=r"^tail\.1\.0 is a Tanh, a bundle holds SparseLinear, Linear and ReLU;"
    ):
        to_parts(model)


def test_a_module_that_stands_twice_counts_twice() -> None:
    relu, tied = nn.ReLU(), nn.Linear(6, 6)
    module = nn.Sequential(tied, relu, tied, relu)
    part = to_part(module, name="tail")
    assert [type(layer).__name__ for layer in part.layers] == ["LinearLayer", "ReluLayer"] * 2
    x = torch.randn(3, 6)
    with torch.no_grad():
        np.testing.assert_allclose(Network(part)(x.numpy()), module(x), atol=1e-6)
