"""Cutting a network changes where it runs, not what it computes."""

import pytest
import torch
from torch import nn

from offramp.errors import ConfigError
from offramp.nn import MLP, Exit, SparseLinear, split_midpoint


@pytest.mark.parametrize(
    ("neurons", "n_head_junctions"),
    [
        ([8, 6, 4], 1),
        ([8, 6, 6, 4], 1),
        ([8, 6, 6, 6, 4], 2),
        ([8, 6, 6, 6, 6, 4], 2),
        ([8, 6, 6, 6, 6, 6, 4], 3),
    ],
    ids=lambda value: f"{len(value) - 1} junctions" if isinstance(value, list) else "",
)
def test_the_head_is_the_first_half_and_ends_in_its_relu(neurons: list[int], n_head_junctions: int) -> None:
    mlp = MLP(neurons)
    model = split_midpoint(mlp)
    head = [type(layer) for layer in model.head.children()]
    assert head == [nn.Linear, nn.ReLU] * n_head_junctions
    assert [*model.head.children(), *model.tail.children()] == list(mlp)


def test_the_tail_scores_are_those_of_the_whole_network() -> None:
    mlp = MLP([800, 40, 40, 10], [2, 9, 10])
    model = split_midpoint(mlp)
    x = torch.randn(5, 800)
    exit_scores, tail_scores = model(x)
    assert torch.equal(tail_scores, mlp(x))
    assert exit_scores.shape == (5, 10)
    assert torch.equal(exit_scores, model.exit(model.head(x)))
    assert isinstance(model.head[0], SparseLinear)


def test_an_exit_has_the_hidden_layers_asked_for() -> None:
    assert [tuple(p.shape) for p in Exit(40, 10).parameters()] == [(10, 40), (10,)]
    hidden = split_midpoint(MLP([8, 6, 4]), exit_hidden=(5, 3)).exit
    assert [type(layer).__name__ for layer in hidden.children()] == [
        "Linear",
        "ReLU",
        "Linear",
        "ReLU",
        "Linear",
    ]
    assert hidden(torch.randn(2, 6)).shape == (2, 4)


def test_what_is_no_mlp_cannot_be_cut() -> None:
    with pytest.raises(
        ConfigError, match=r"^a Sequential has no midpoint that is known; give an MLP, or cut"
    ):
        split_midpoint(nn.Sequential(nn.Linear(8, 4)))  # type: ignore[arg-type]


def test_a_single_junction_cannot_be_cut() -> None:
    with pytest.raises(
        ConfigError, match=r"an MLP of \[8, 4\] has 1 junction; a cut needs 2, so add a hidden layer"
    ):
        split_midpoint(MLP([8, 4]))
