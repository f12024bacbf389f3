"""Baselines follow the recipe as `fit` does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from offramp.data import load, preprocessing_for
from offramp.errors import ConfigError
from offramp.experiments import PaperRow, recipe_named
from offramp.experiments.rivals.baselines import RigL, fine_tuning_epochs, train_baseline
from offramp.experiments.rivals.contenders import Contender
from offramp.experiments.rivals.masked import step_macs
from offramp.nn import MLP
from offramp.train import Watch, fit

ROW = PaperRow(3, 1, "sparse", (64, 20, 20, 10), (5, 4, 10), 85.0, 650)


@pytest.fixture(scope="module")
def samples() -> tuple[Tensor, Tensor]:
    """What a recipe that trains on everything sees of digits."""
    dataset = load("digits")
    splits = [dataset.split(name) for name in ("train", "validation", "calibration")]
    x, y = (np.concatenate(arrays) for arrays in zip(*splits, strict=True))
    return torch.from_numpy(preprocessing_for(dataset)(x)), torch.from_numpy(y)


def _contender(method: str, out_degrees: tuple[int, ...] = ROW.out_degrees) -> Contender:
    return Contender(ROW, method, ROW.neurons, out_degrees)


@pytest.mark.parametrize("name", ["paper", "cosine"])
def test_with_every_edge_a_baseline_is_fit_bit_for_bit(name: str, samples: tuple[Tensor, Tensor]) -> None:
    dataset, recipe = load("digits"), replace(recipe_named(name), epochs=2, batch_size=100)
    model = MLP(ROW.neurons)
    fit(
        model,
        dataset,
        recipe,
        preprocessing=preprocessing_for(dataset),
        seed=4,
        fused=False,
        progress=False,
    )
    dense = _contender("unstructured", (20, 20, 10))
    found = train_baseline(dense, *samples, recipe, seed=4, watch=Watch())
    ours, theirs = found.model.state_dict(), model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.parametrize("method", ["unstructured", "pruned", "rigl"])
def test_every_baseline_learns_and_has_the_edges_of_the_row(
    method: str, samples: tuple[Tensor, Tensor]
) -> None:
    recipe = replace(recipe_named("cosine"), epochs=8, batch_size=32, learning_rate=0.01)
    found = train_baseline(_contender(method), *samples, recipe, seed=0, watch=Watch())
    assert found.n_edges == (320, 80, 200)
    for weight, n in zip(found.weights, found.n_edges, strict=True):
        assert int(weight.count_nonzero()) <= n
    accuracy = (found.model(samples[0]).argmax(1) == samples[1]).float().mean()
    assert accuracy > 0.8


def test_what_a_training_takes_is_counted(samples: tuple[Tensor, Tensor]) -> None:
    recipe = replace(recipe_named("paper"), epochs=4, batch_size=16)
    sparse, dense = (320, 80, 200), (1280, 400, 200)
    counts = {
        method: train_baseline(_contender(method), *samples, recipe, seed=0, watch=Watch()).n_macs
        for method in ("unstructured", "pruned", "rigl")
    }
    n = len(samples[1])
    assert fine_tuning_epochs(recipe) == 2
    assert counts["unstructured"] == 4 * n * step_macs(sparse)
    assert counts["pruned"] == 4 * n * step_macs(dense) + 2 * n * step_macs(sparse)
    n_steps = 4 * -(-n // 16)
    n_moves = len(range(100, int(0.75 * n_steps) + 1, 100))
    assert n_moves >= 2
    more = step_macs(sparse, dense) - step_macs(sparse)
    assert counts["rigl"] == counts["unstructured"] + n_moves * 16 * more


def test_rigl_moves_fewer_and_fewer_edges_and_then_none() -> None:
    moves = [RigL().fraction_at(step, n_steps=1000) for step in range(1000)]
    assert [step for step, fraction in enumerate(moves) if fraction] == list(range(100, 750, 100))
    shares = [fraction for fraction in moves if fraction]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(0.15 * (1 + np.cos(np.pi * 100 / 750)))


def test_rigl_ends_with_other_edges_than_it_began_with(samples: tuple[Tensor, Tensor]) -> None:
    recipe = replace(recipe_named("paper"), epochs=3, batch_size=16)
    fixed, moved = (
        train_baseline(_contender(method), *samples, recipe, seed=0, watch=Watch())
        for method in ("unstructured", "rigl")
    )
    assert not torch.equal(fixed.masks[0], moved.masks[0])
    assert torch.equal(fixed.masks[2], moved.masks[2])  # dense


def test_the_watch_hears_of_every_step_once(samples: tuple[Tensor, Tensor]) -> None:
    told: list[int] = []

    class Listener(Watch):
        def begin(self, *, n_done: int, n_steps: int, fused: bool) -> None:
            told.append(n_steps)

        def step(self, n_done: int, loss: float) -> None:
            told.append(n_done)

    recipe = replace(recipe_named("paper"), epochs=2, batch_size=500)
    train_baseline(_contender("pruned"), *samples, recipe, seed=0, watch=Listener())
    n_batches = -(-len(samples[1]) // 500)
    assert told == [3 * n_batches, *range(1, 3 * n_batches + 1)]


def test_a_loss_that_is_not_finite_ends_it(samples: tuple[Tensor, Tensor]) -> None:
    x = samples[0].clone()
    x[:, 0] = float("nan")
    with pytest.raises(ConfigError, match=r"the loss became nan in step 1; use a smaller learning_rate"):
        train_baseline(_contender("rigl"), x, samples[1], recipe_named("paper"), seed=0, watch=Watch())
