"""First weights have the spread that their recipe states."""

import math

import pytest
import torch
from torch import nn

from offramp.nn import SparseLinear
from offramp.train import RECIPES, initialise


def test_the_papers_weights_spread_by_the_dense_width_and_are_cut() -> None:
    torch.manual_seed(0)
    layer = SparseLinear(1000, 500, out_degree=20)
    initialise(layer, RECIPES["paper"])
    std = math.sqrt(2 / 1000)
    assert layer.weight.std().item() == pytest.approx(std, rel=0.03)
    # Keras' factor: the normal is cut at two of its own, wider deviations.
    assert 1.9 * std / 0.8796 < layer.weight.abs().max().item() <= 2.0001 * std / 0.8796
    assert layer.bias is not None
    assert torch.all(layer.bias == 0.1)


def test_the_cosine_weights_spread_by_the_edges_that_arrive() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(SparseLinear(1000, 500, out_degree=20), nn.ReLU(), nn.Linear(500, 300))
    initialise(model, RECIPES["cosine"])
    assert model[0].weight.std().item() == pytest.approx(math.sqrt(2 / 40), rel=0.03)
    assert model[2].weight.std().item() == pytest.approx(math.sqrt(2 / 500), rel=0.03)
    assert not model[0].bias.any()
    assert not model[2].bias.any()


def test_other_modules_draw_their_own_weights_again() -> None:
    model = nn.Sequential(nn.Conv1d(1, 4, 3), nn.Linear(4, 2, bias=False))
    before = model[0].weight.detach().clone()
    initialise(model, RECIPES["cosine"])
    assert not torch.equal(model[0].weight, before)
