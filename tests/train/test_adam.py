"""AdamState is what torch.optim.Adam keeps, to the bit and in the same form."""

import copy

import torch
from torch import nn

from offramp.nn import MLP
from offramp.train.adam import AdamState
from offramp.train.step import FusedStep

X, Y = torch.rand(64, 16), torch.randint(0, 4, (64,))


def _train(model: nn.Module, optimizer: torch.optim.Adam | AdamState, n_steps: int) -> None:
    step = FusedStep(model, optimizer, exit_weight=0)
    for _ in range(n_steps):
        step(X, Y, torch.arange(64))


def _flat(optimizer: torch.optim.Adam | AdamState) -> dict[tuple[int, str], torch.Tensor]:
    state = optimizer.state_dict()["state"]
    return {(index, name): value for index, values in state.items() for name, value in values.items()}


def test_the_native_step_takes_either_for_the_same_bits() -> None:
    ours, theirs = MLP([16, 8, 4], [2, 4]), MLP([16, 8, 4], [2, 4])
    theirs.load_state_dict(ours.state_dict())
    kept, known = AdamState(ours.parameters(), lr=1e-2), torch.optim.Adam(theirs.parameters(), lr=1e-2)
    _train(ours, kept, 5)
    _train(theirs, known, 5)
    mine, other = _flat(kept), _flat(known)
    assert mine.keys() == other.keys()
    assert len(mine) == 3 * 4
    assert all(torch.equal(mine[key], other[key]) for key in other)
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))
    group = known.param_groups[0]
    assert kept.param_groups == [{name: group[name] for name in ("lr", "betas", "eps")}]


def test_a_state_that_was_written_down_goes_on_as_if_nothing_had_happened() -> None:
    whole = MLP([16, 8, 4])
    optimizer = AdamState(whole.parameters(), lr=1e-2)
    assert optimizer.state_dict()["state"] == {}
    _train(whole, optimizer, 3)
    resumed, saved = copy.deepcopy(whole), copy.deepcopy(optimizer.state_dict())
    _train(whole, optimizer, 3)
    other = AdamState(resumed.parameters(), lr=1e-2)
    other.load_state_dict(saved)
    _train(resumed, other, 3)
    assert all(map(torch.equal, resumed.parameters(), whole.parameters()))
