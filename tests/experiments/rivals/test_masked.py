"""Dense weights under masks: what stays zero, what is kept, what moves."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from offramp.experiments import recipe_named
from offramp.experiments.rivals.masked import MaskedMLP, largest, step_macs, uniform_masks

NEURONS = (12, 8, 8, 4)
EDGES = (24, 16, 32)  # the last junction is dense


def _network(seed: int = 0, recipe: str = "paper") -> MaskedMLP:
    return MaskedMLP(NEURONS, uniform_masks(NEURONS, EDGES, seed=seed), recipe_named(recipe), seed=seed)


def _batch(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(32, 12, generator=generator), torch.randint(4, (32,), generator=generator)


def _learned(network: MaskedMLP, n_steps: int) -> None:
    for step in range(n_steps):
        network.learn(*_batch(step), learning_rate=0.01)


@given(st.integers(0, 1000), st.data())
def test_uniform_masks_have_exactly_the_edges_asked_for(seed: int, data: st.DataObject) -> None:
    n_edges = [data.draw(st.integers(1, n * m)) for n, m in pairwise(NEURONS)]
    masks = uniform_masks(NEURONS, n_edges, seed=seed)
    assert [int(mask.sum()) for mask in masks] == n_edges
    assert [tuple(mask.shape) for mask in masks] == [(8, 12), (8, 8), (4, 8)]
    again = uniform_masks(NEURONS, n_edges, seed=seed)
    assert all(torch.equal(*pair) for pair in zip(masks, again, strict=True))


def test_every_edge_is_drawn_as_often_whatever_the_degrees() -> None:
    n = 2000
    masks = sum(uniform_masks((6, 4), (9,), seed=seed)[0] for seed in range(n))
    assert isinstance(masks, Tensor)
    deviation = np.sqrt(n * 0.375 * 0.625)
    assert (masks - 0.375 * n).abs().max() < 4 * deviation
    degrees = uniform_masks((6, 4), (9,), seed=0)[0].sum(1)
    assert len(set(degrees.tolist())) > 1


@given(st.lists(st.floats(0, 10, width=32), min_size=4, max_size=30), st.data())
def test_the_largest_are_none_smaller_than_the_others(values: list[float], data: st.DataObject) -> None:
    among = torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    n = data.draw(st.integers(0, int(among.sum())))
    tensor = torch.tensor(values)
    chosen = largest(tensor, n, among=among.float()).bool()
    assert int(chosen.sum()) == n
    assert not (chosen & ~among).any()
    if n and (among & ~chosen).any():
        assert tensor[chosen].min() >= tensor[among & ~chosen].max()


@pytest.mark.parametrize("recipe", ["paper", "cosine"])
def test_dead_weights_stay_zero_and_the_others_learn(recipe: str) -> None:
    network = _network(recipe=recipe)
    before = [weight.detach().clone() for weight in network.weights]
    _learned(network, 20)
    assert network.n_edges == EDGES
    for weight, mask, old in zip(network.weights, network.masks, before, strict=True):
        assert (weight[mask == 0] == 0).all()
        learned = (weight != old) & (mask == 1)
        assert learned.any()


def test_the_in_degree_of_each_neuron_sets_the_size_of_its_first_weights() -> None:
    mask = torch.zeros(2, 4000)
    mask[0, :40] = mask[1, :2000] = 1
    weight = MaskedMLP((4000, 2), [mask], recipe_named("cosine"), seed=0).weights[0].detach()
    assert float(weight[0, :40].std()) == pytest.approx((2 / 40) ** 0.5, rel=0.3)
    assert float(weight[1, :2000].std()) == pytest.approx((2 / 2000) ** 0.5, rel=0.1)


def test_pruning_keeps_the_largest_magnitudes_and_forgets_adam() -> None:
    full = [n * m for n, m in pairwise(NEURONS)]
    network = MaskedMLP(NEURONS, uniform_masks(NEURONS, full, seed=0), recipe_named("paper"), seed=1)
    _learned(network, 10)
    before = [weight.detach().clone() for weight in network.weights]
    network.prune(EDGES)
    assert network.n_edges == EDGES
    assert not network.adam.state
    for weight, mask, old in zip(network.weights, network.masks, before, strict=True):
        kept = mask == 1
        assert torch.equal(weight[kept], old[kept])
        assert (weight[~kept] == 0).all()
        if not kept.all():
            assert old[kept].abs().min() >= old[~kept].abs().max()
    _learned(network, 5)
    assert all((w[m == 0] == 0).all() for w, m in zip(network.weights, network.masks, strict=True))


@given(st.integers(0, 50), st.floats(0, 0.9))
def test_rewiring_never_changes_the_number_of_edges(seed: int, fraction: float) -> None:
    network = _network(seed)
    _learned(network, 2)
    network.rewire(*_batch(seed), fraction=fraction)
    assert network.n_edges == EDGES
    _learned(network, 1)
    assert all((w[m == 0] == 0).all() for w, m in zip(network.weights, network.masks, strict=True))


def test_the_smallest_are_dropped_and_those_that_grow_begin_at_zero_without_moments() -> None:
    network = _network()
    _learned(network, 10)
    weights = [weight.detach().clone() for weight in network.weights]
    masks = [mask.clone() for mask in network.masks]
    network.rewire(*_batch(99), fraction=0.25)
    for index, n_dropped in enumerate((6, 4, 0)):
        weight, mask, old, was = network.weights[index], network.masks[index], weights[index], masks[index]
        alive = (weight != 0).detach()
        new = (mask == 1) & ~alive
        assert int(new.sum()) == n_dropped
        moments = network.adam.state[weight]
        assert (moments["exp_avg"][~alive] == 0).all()
        assert (moments["exp_avg_sq"][~alive] == 0).all()
        assert torch.equal(weight[alive], old[alive])
        if n_dropped:
            dropped = (was == 1) & ~alive
            assert int(dropped.sum()) == n_dropped
            assert old[dropped].abs().max() <= old[alive].abs().min()
            assert weight.grad is not None
            gradient = weight.grad.abs()
            assert gradient[new].min() >= gradient[~alive & ~new].max()


def test_the_multiply_adds_of_a_step_are_scores_and_both_gradients() -> None:
    assert step_macs((24, 16, 32)) == 3 * 72 - 24  # nobody asks for the gradient of the images
    assert step_macs((24, 16, 32), (96, 64, 32)) == 72 + 48 + 192
    network = _network()
    _learned(network, 3)
    assert network.n_macs == 3 * 32 * step_macs(EDGES)
