"""Exits trained with the backbone, after it, or both."""

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.nn import MLP, Bottleneck, SplitModel, split_midpoint
from offramp.train import RECIPES, Epoch, History, Recipe, Watch, expected_s, fit
from offramp.train.losses import self_taught

COSINE = dataclasses.replace(RECIPES["cosine"], epochs=6, batch_size=16)
FROZEN = dataclasses.replace(COSINE, exits="frozen")
MIXED = dataclasses.replace(COSINE, exits="mixed")


def _plain() -> SplitModel:
    torch.manual_seed(4)
    return split_midpoint(MLP([16, 24, 24, 4], [6, 6, 4]))


def _encoded() -> SplitModel:
    torch.manual_seed(4)
    return split_midpoint(MLP([16, 24, 24, 4], [6, 6, 4]), bottleneck=Bottleneck(width=6))


def _inner() -> SplitModel:
    torch.manual_seed(4)
    return split_midpoint(
        MLP([16, 12, 24, 20, 4], [6, 6, 10, 4]),
        inner_exits={"head-2": (), "tail-3": (7,)},
        bottleneck=Bottleneck(width=6),
    )


MODELS: dict[str, Callable[[], SplitModel]] = {"plain": _plain, "encoder": _encoded, "inner exits": _inner}


def _bits(model: nn.Module | None) -> dict[str, list[float]]:
    assert model is not None
    return {name: value.tolist() for name, value in model.state_dict().items()}


def _losses(history: History) -> list[dict[str, Any]]:
    return [dataclasses.asdict(epoch) | {"seconds": 0} for epoch in history.epochs]


class _Kept(Watch):
    """The model's weights after every epoch."""

    def __init__(self, model: SplitModel) -> None:
        self.model, self.epochs = model, [copy.deepcopy(model)]

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(copy.deepcopy(self.model))


@pytest.mark.parametrize("name", MODELS)
def test_frozen_trains_the_backbone_and_then_the_exits(
    blobs: Dataset, preprocessing: Preprocessing, name: str
) -> None:
    model = MODELS[name]()
    kept = _Kept(model)
    history = fit(model, blobs, FROZEN, preprocessing=preprocessing, initialise=False, progress=kept)
    assert [epoch.phase for epoch in history.epochs] == ["backbone"] * 4 + ["exits"] * 2
    assert history.fused
    first, after_backbone, last = kept.epochs[0], kept.epochs[4], kept.epochs[6]
    for exit in model.exits:
        assert _bits(first.exits[exit]) == _bits(after_backbone.exits[exit]) != _bits(last.exits[exit])
    assert _bits(after_backbone.backbone()) == _bits(last.backbone())
    for part in (part for part in ("head", "tail", "encoder") if getattr(model, part) is not None):
        assert _bits(getattr(first, part)) != _bits(getattr(after_backbone, part))
    assert history.epochs[-1].inner_accuracies.keys() == {exit for exit in model.exits if exit != "exit"}


def test_the_backbone_is_trained_as_a_network_without_exits(
    blobs: Dataset, preprocessing: Preprocessing
) -> None:
    alone, model = _encoded().backbone(), _encoded()
    common: Any = {"preprocessing": preprocessing, "initialise": False}
    fit(alone, blobs, dataclasses.replace(COSINE, epochs=4), **common)
    fit(model, blobs, FROZEN, **common)
    assert _bits(model.backbone()) == _bits(alone)


@pytest.mark.parametrize("name", MODELS)
def test_mixed_ends_with_everything_at_once(blobs: Dataset, preprocessing: Preprocessing, name: str) -> None:
    model = MODELS[name]()
    kept = _Kept(model)
    history = fit(model, blobs, MIXED, preprocessing=preprocessing, progress=kept)
    assert [epoch.phase for epoch in history.epochs] == ["backbone"] * 4 + ["joint"] * 2
    assert history.fused is (name != "inner exits")
    before, after = kept.epochs[4].state_dict(), kept.epochs[6].state_dict()
    assert all(not torch.equal(before[name], after[name]) for name in before if not name.endswith("table"))


def test_every_phase_goes_through_the_whole_schedule(blobs: Dataset, preprocessing: Preprocessing) -> None:
    for recipe in (FROZEN, MIXED):
        epochs = fit(_plain(), blobs, recipe, preprocessing=preprocessing).epochs
        rates = [epoch.learning_rate for epoch in epochs]
        expected = [COSINE.learning_rate_at(7 * n - 1, n_steps=28) for n in (1, 2, 3, 4)]
        assert rates == expected + [COSINE.learning_rate_at(7 * n - 1, n_steps=14) for n in (1, 2)]
        assert rates[3] < 1e-3 < rates[4]


@pytest.mark.parametrize("self_distillation", [0.0, 0.5], ids=["labels", "self-distilled"])
@pytest.mark.parametrize("recipe", [FROZEN, MIXED], ids=["frozen", "mixed"])
@pytest.mark.parametrize("name", MODELS)
def test_native_and_autograd_steps_agree_in_every_phase(
    blobs: Dataset, preprocessing: Preprocessing, name: str, recipe: Recipe, self_distillation: float
) -> None:
    recipe = dataclasses.replace(recipe, self_distillation=self_distillation, learning_rate=1e-3)
    native, torchs = MODELS[name](), MODELS[name]()
    one = fit(native, blobs, recipe, preprocessing=preprocessing)
    other = fit(torchs, blobs, recipe, preprocessing=preprocessing, fused=False)
    assert not other.fused
    assert one.fused is (recipe.exits == "frozen" or (name != "inner exits" and not self_distillation))
    for mine, theirs in zip(one.epochs, other.epochs, strict=True):
        assert mine.train_loss == pytest.approx(theirs.train_loss, abs=1e-5)
    for value, expected in zip(native.parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(value, expected, atol=1e-4, rtol=0)


class _StopError(Exception):
    pass


class _Stop(Watch):
    def __init__(self, after: int) -> None:
        self._after = after

    def step(self, n_done: int, loss: float) -> None:
        if n_done == self._after:
            raise _StopError


@pytest.mark.parametrize(
    ("name", "recipe", "fused"),
    [
        ("encoder", FROZEN, True),
        ("inner exits", FROZEN, True),
        ("inner exits", FROZEN, False),
        ("plain", MIXED, True),
        ("inner exits", MIXED, True),
        ("encoder", dataclasses.replace(MIXED, self_distillation=0.5), True),
        ("plain", dataclasses.replace(FROZEN, self_distillation=0.5), False),
    ],
    ids=[
        "frozen",
        "frozen, several exits",
        "frozen, autograd",
        "mixed",
        "mixed, several",
        "mixed, own",
        "own",
    ],
)
def test_a_run_interrupted_in_every_phase_ends_with_the_same_bits(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path, name: str, recipe: Recipe, fused: bool
) -> None:
    common: Any = {"preprocessing": preprocessing, "fused": fused}
    whole = MODELS[name]()
    expected = fit(whole, blobs, recipe, **common)
    # In the backbone's phase, after its last step, after the first of the second phase, and further in.
    for n_done in (10, 28, 29, 36):
        with pytest.raises(_StopError):
            fit(MODELS[name](), blobs, recipe, checkpoint=tmp_path, progress=_Stop(n_done), **common)
    model = MODELS[name]()
    history = fit(model, blobs, recipe, checkpoint=tmp_path, **common)
    assert _bits(model) == _bits(whole)
    assert _losses(history) == _losses(expected)


def test_a_run_stopped_between_two_phases_goes_on_with_the_second(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.train.run.EPOCHS_EVERY_S", 0.0)

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 4:
            raise _StopError

    whole, halved = _plain(), _plain()
    common: Any = {"preprocessing": preprocessing}
    fit(whole, blobs, MIXED, **common)
    with pytest.raises(_StopError):
        fit(_plain(), blobs, MIXED, checkpoint=tmp_path, progress=stop, **common)
    with safe_open(tmp_path / "checkpoint.safetensors", framework="pt") as file:
        assert not [name for name in file.keys() if name.startswith("adam.")]  # noqa: SIM118 (a fresh optimizer)
    fit(halved, blobs, MIXED, checkpoint=tmp_path, **common)
    assert _bits(halved) == _bits(whole)


def test_a_checkpoint_of_another_way_is_refused(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path
) -> None:
    fit(_plain(), blobs, FROZEN, preprocessing=preprocessing, checkpoint=tmp_path)
    with pytest.raises(ConfigError, match=r"recipe\.exits=frozen, this run has recipe\.exits=mixed"):
        fit(_plain(), blobs, MIXED, preprocessing=preprocessing, checkpoint=tmp_path)


@pytest.mark.parametrize("own", [0.0, 0.5], ids=["labels", "self-distilled"])
def test_frozen_exits_learn_from_the_backbones_last_word(
    blobs: Dataset, preprocessing: Preprocessing, own: float
) -> None:
    recipe = dataclasses.replace(
        FROZEN, epochs=2, learning_rate=1e-30, batch_size=100, self_distillation=own, temperature=3.0
    )
    model = _inner()
    model.head.append(nn.Dropout(0.5))  # is off in what the exits read
    history = fit(model, blobs, recipe, preprocessing=preprocessing, initialise=False)
    x, y = blobs.split("train")
    *exits, tail = model.eval()(torch.from_numpy(preprocessing(x)))
    told = self_taught(torch.from_numpy(y), tail, weight=own, temperature=3.0)
    losses = [nn.functional.cross_entropy(scores, told).item() for scores in exits]
    assert history.epochs[1].train_loss == pytest.approx(sum(losses), rel=1e-5)


def test_self_distillation_makes_an_exit_speak_like_its_tail(
    blobs: Dataset, preprocessing: Preprocessing
) -> None:
    x = torch.from_numpy(preprocessing(blobs.split("train")[0]))

    def distance(own: float, way: str) -> Tensor:
        model = _plain()
        recipe = dataclasses.replace(
            COSINE, epochs=30, exits=way, self_distillation=own, temperature=8.0, exit_weight=1.0
        )
        fit(model, blobs, recipe, preprocessing=preprocessing)
        exit, tail = model(x)
        return (exit.softmax(1) - (tail / 8).softmax(1)).abs().mean()

    for way in ("joint", "frozen", "mixed"):
        assert distance(1.0, way) < distance(0.0, way) / 2


def test_a_model_without_exits_is_trained_at_once(blobs: Dataset, preprocessing: Preprocessing) -> None:
    one, other = MLP([16, 8, 4]), MLP([16, 8, 4])
    recipe = dataclasses.replace(FROZEN, self_distillation=0.5)
    history = fit(one, blobs, recipe, preprocessing=preprocessing)
    fit(other, blobs, COSINE, preprocessing=preprocessing)
    assert _bits(one) == _bits(other)
    assert {epoch.phase for epoch in history.epochs} == {"joint"}


class _Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(x), self.layer(x)


def test_parts_that_are_not_known_cannot_be_trained_one_by_one(
    blobs: Dataset, preprocessing: Preprocessing
) -> None:
    text = "exits='frozen' trains parts one after the other, and a _Pair has none that are known; make it a"
    with pytest.raises(ConfigError, match=text):
        fit(_Pair(), blobs, FROZEN, preprocessing=preprocessing)
    fit(_Pair(), blobs, COSINE, preprocessing=preprocessing)


def test_inner_exits_and_an_encoder_learn(blobs: Dataset, preprocessing: Preprocessing) -> None:
    for way in ("joint", "frozen", "mixed"):
        recipe = dataclasses.replace(COSINE, epochs=60, exits=way)
        last = fit(_inner(), blobs, recipe, preprocessing=preprocessing).epochs[-1]
        assert last.exit_accuracy is not None
        assert min(last.tail_accuracy, last.exit_accuracy, last.inner_accuracies["exit-tail-3"]) > 0.7
        assert last.inner_accuracies["exit-head-2"] > 0.5  # reads 12 features of random edges


def test_time_is_expected_for_every_phase(blobs: Dataset) -> None:
    model, recipe = split_midpoint(MLP([16, 64, 64, 4])), dataclasses.replace(COSINE, epochs=30)
    native = expected_s(model, blobs, recipe)
    assert expected_s(model, blobs, dataclasses.replace(recipe, exits="frozen")) < native
    taught = dataclasses.replace(recipe, self_distillation=0.5)
    assert expected_s(model, blobs, taught) == expected_s(model, blobs, recipe, fused=False) > native
    between = expected_s(model, blobs, dataclasses.replace(taught, exits="mixed"))
    assert native < between < expected_s(model, blobs, taught) / 2
