"""`evaluate` counts right answers and leaves the model as it was."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from offramp.errors import DataError
from offramp.nn import SplitModel
from offramp.train import Accuracies, evaluate


class _Wrong(nn.Module):
    """Scores that are right, except for the first `n` samples it is told of by their feature 0."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        labels = (x[:, 0].long() + (x[:, 0] < self.n)) % 3
        return nn.functional.one_hot(labels, 3).float()


@settings(deadline=None)
@given(st.integers(1, 5000), st.data())
def test_both_accuracies_are_exact_for_any_number_of_samples(n: int, data: st.DataObject) -> None:
    exit_wrong, tail_wrong = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    model = SplitModel(nn.Identity(), _Wrong(exit_wrong), _Wrong(tail_wrong))
    x = np.arange(n, dtype=np.float32)[:, None]
    y = np.arange(n) % 3
    assert evaluate(model, x, y) == Accuracies((n - exit_wrong) / n, (n - tail_wrong) / n)
    assert evaluate(model.tail, torch.from_numpy(x), torch.from_numpy(y)) == Accuracies(
        None, (n - tail_wrong) / n
    )


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_dropout_is_off_and_the_mode_stays(training: bool) -> None:
    model = nn.Sequential(_Wrong(0), nn.Dropout(0.9)).train(training)
    assert evaluate(model, torch.arange(300.0)[:, None], torch.arange(300) % 3).tail == 1
    assert model.training is training


@pytest.mark.parametrize(("n_x", "n_y"), [(0, 0), (3, 2)], ids=["none", "a label missing"])
def test_samples_and_labels_must_match(n_x: int, n_y: int) -> None:
    with pytest.raises(
        DataError, match=f"{n_x} samples and {n_y} labels; give one label a sample, at least one"
    ):
        evaluate(_Wrong(0), torch.zeros(n_x, 1), torch.zeros(n_y))


def test_inner_exits_are_told_by_name() -> None:
    layers = [nn.Identity(), nn.Identity()]
    inner = {"tail-1": _Wrong(30), "head-1": _Wrong(10)}
    tail = nn.Sequential(nn.Identity(), _Wrong(40))
    model = SplitModel(nn.Sequential(*layers), _Wrong(20), tail, inner_exits=inner)
    found = evaluate(model, torch.arange(100.0)[:, None], torch.arange(100) % 3)
    assert found == Accuracies(0.8, 0.6, {"exit-head-1": 0.9, "exit-tail-1": 0.7})
    assert list(found.inner) == ["exit-head-1", "exit-tail-1"]
