"""A tail that was trained for a codec loses less by it, and gets what it was trained for."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from offramp.bundle import Preprocessing
from offramp.codec import Codec, arrived, fit_codec
from offramp.data import Dataset, load, preprocessing_for
from offramp.errors import ConfigError
from offramp.nn import MLP, Bottleneck, SplitModel, split_midpoint, to_parts
from offramp.runtime import Network
from offramp.train import RECIPES, Epoch, Finetuned, Watch, evaluate, finetune_for_codec, fit

RECIPE = dataclasses.replace(RECIPES["cosine"], epochs=20, batch_size=32)


def _model(seed: int = 0, *, encoder: bool = True) -> SplitModel:
    bottleneck = Bottleneck(width=4, relu=False) if encoder else None
    return split_midpoint(MLP([16, 12, 12, 4], seed=seed), bottleneck=bottleneck, inner_exits={"tail-2": ()})


def _trained(blobs: Dataset, preprocessing: Preprocessing, **options: Any) -> SplitModel:
    model = _model(**options)
    fit(model, blobs, RECIPE, preprocessing=preprocessing)
    return model


def _bits(model: SplitModel) -> dict[str, list[float]]:
    return {name: value.tolist() for name, value in model.state_dict().items()}


# --- What it gains ----------------------------------------------------------------------------------------


def _cost(model: SplitModel, x: Tensor, y: Tensor, codec: Codec) -> float:
    """By how much the codec raises the loss of the tail."""
    with torch.no_grad():
        sent = model.encoder(model.head(x))  # type: ignore[misc]
        seen = torch.from_numpy(arrived(codec, sent.numpy()))
        return (cross_entropy(model.tail(seen), y) - cross_entropy(model.tail(sent), y)).item()


def _costs(seed: int) -> tuple[float, float]:
    """Of int4, before fine-tuning and after."""
    digits = load("digits", seed=seed)
    preprocessing = preprocessing_for(digits)
    torch.manual_seed(seed)
    model = split_midpoint(MLP([64, 32, 64, 10], seed=seed), bottleneck=Bottleneck(width=4, relu=False))
    recipe = dataclasses.replace(RECIPES["cosine"], epochs=25, batch_size=32)
    common: Any = {"preprocessing": preprocessing, "seed": seed, "progress": False}
    fit(model, digits, recipe, **common)
    raw, labels = digits.split("train")
    x, y = torch.from_numpy(preprocessing(raw)), torch.from_numpy(labels)
    codec = fit_codec("int4", model.encoder(model.head(x)).detach().numpy())  # type: ignore[misc]
    before = _cost(model, x, y, codec)
    tuned = finetune_for_codec(model, digits, recipe, codec="int4", epochs=6, **common)
    return before, _cost(model, x, y, tuned.codec)


def test_int4_costs_less_after_fine_tuning_than_before() -> None:
    """Four values of 4 bits for a digit, the mean of four seeds; other samples are too few to tell."""
    before, after = np.mean([_costs(seed) for seed in range(4)], axis=0)
    assert before > 0
    assert after < 0.75 * before


# --- What it gives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", [True, False], ids=["encoder", "features"])
@pytest.mark.parametrize("codec", ["int4", "int8", "int4-zeros", "int8-range"])
def test_the_exported_network_with_the_codec_is_what_was_measured(
    blobs: Dataset, preprocessing: Preprocessing, codec: str, encoder: bool
) -> None:
    model = _trained(blobs, preprocessing, encoder=encoder)
    layout = repr(model)
    before = _bits(model)
    tuned = finetune_for_codec(model, blobs, RECIPE, preprocessing=preprocessing, codec=codec, epochs=3)
    assert tuned.codec.name == codec
    assert repr(model) == layout
    assert all(_bits(model)[name] != values for name, values in before.items())

    parts, (x, y) = to_parts(model), blobs.split("validation")
    features = Network(parts["head"])(preprocessing(x))
    sent = Network(parts["encoder"])(features) if encoder else features
    scores = Network(parts["tail"])(arrived(tuned.codec, sent))
    last = tuned.history.epochs[-1]
    assert (scores.argmax(1) == y).mean() == pytest.approx(last.tail_accuracy)
    # Exits read features that no codec has touched; those inside the tail read what the tail does.
    assert evaluate(model, preprocessing(x), y).exit == last.exit_accuracy
    assert last.inner_accuracies.keys() == {"exit-tail-2"}


def test_the_levels_are_those_of_the_last_epoch(blobs: Dataset, preprocessing: Preprocessing) -> None:
    model = _trained(blobs, preprocessing)
    x = torch.from_numpy(preprocessing(blobs.split("train")[0]))
    fitted = []

    def note(epoch: Epoch) -> None:  # what the next epoch begins with
        with torch.no_grad():
            fitted.append(fit_codec("int4", model.encoder(model.head(x)).numpy()))  # type: ignore[misc]

    common: Any = {"preprocessing": preprocessing, "epochs": 3}
    twins = [copy.deepcopy(model) for _ in range(2)]
    tuned = finetune_for_codec(model, blobs, RECIPE, codec="int4", progress=note, **common)
    assert tuned.codec == fitted[1] != fitted[2]
    others = [
        finetune_for_codec(twin, blobs, RECIPE, codec=name, **common).codec.parameters()
        for twin, name in zip(twins, ("int4-zeros", "int4-range"), strict=True)
    ]
    for other in others:
        assert {name: other[name] for name in ("low", "step")} == tuned.codec.parameters()


class _StopError(Exception):
    pass


class _Stop(Watch):
    """After an epoch, or after a step; the run is saved there."""

    def __init__(self, *, step: int = 0, epoch: int = 0) -> None:
        self._step, self._epoch = step, epoch

    def step(self, n_done: int, loss: float) -> None:
        if n_done == self._step:
            raise _StopError

    def epoch(self, epoch: Epoch) -> None:
        if epoch.epoch == self._epoch:
            raise _StopError


@pytest.mark.parametrize("stop", [_Stop(step=10), _Stop(epoch=2)], ids=["inside an epoch", "between epochs"])
def test_an_interrupted_fine_tuning_ends_with_the_same_bits(
    blobs: Dataset,
    preprocessing: Preprocessing,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop: Watch,
) -> None:
    monkeypatch.setattr("offramp.train.run.EPOCHS_EVERY_S", 0.0)
    start = _trained(blobs, preprocessing)

    def tune(**options: Any) -> tuple[SplitModel, Finetuned]:
        model = copy.deepcopy(start)
        common: Any = {"preprocessing": preprocessing, "codec": "int4-range", "epochs": 4}
        return model, finetune_for_codec(model, blobs, RECIPE, **common, **options)

    model, whole = tune()
    with pytest.raises(_StopError):
        tune(checkpoint=tmp_path, progress=stop)
    for _ in range(2):  # goes on, then finds all done
        again, rest = tune(checkpoint=tmp_path)
        assert _bits(again) == _bits(model)
        assert rest.codec == whole.codec


@pytest.mark.parametrize(
    ("way", "phases"),
    [("joint", ["joint"] * 3), ("mixed", ["joint"] * 3), ("frozen", ["backbone", "backbone", "exits"])],
)
def test_exits_go_on_being_trained_their_way(
    blobs: Dataset, preprocessing: Preprocessing, way: Any, phases: list[str]
) -> None:
    model = _trained(blobs, preprocessing)
    recipe = dataclasses.replace(RECIPE, exits=way)
    sent, x = [], torch.from_numpy(preprocessing(blobs.split("train")[0]))

    def note(epoch: Epoch) -> None:
        with torch.no_grad():
            sent.append(model.encoder(model.head(x)).numpy())  # type: ignore[misc]

    tuned = finetune_for_codec(
        model, blobs, recipe, preprocessing=preprocessing, codec="int4", epochs=3, progress=note
    )
    begins_with = phases.count("backbone") or 3  # the last epoch that the tail learns in
    assert tuned.codec == fit_codec("int4", sent[begins_with - 2])
    assert [epoch.phase for epoch in tuned.history.epochs] == phases
    assert tuned.history.epochs[0].learning_rate < RECIPE.learning_rate / 3


@pytest.mark.parametrize("codec", ["float16", "int4-zip", "int2"])
def test_a_codec_without_levels_is_refused(blobs: Dataset, preprocessing: Preprocessing, codec: str) -> None:
    text = f"codec '{codec}' has no levels to train for; use one of int8, int4, int8-zeros"
    with pytest.raises(ConfigError, match=text):
        finetune_for_codec(_model(), blobs, RECIPE, preprocessing=preprocessing, codec=codec)
