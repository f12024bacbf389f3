"""Training on with rounded weights and activations: what is trained is what integers compute."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from offramp.bundle import Bundle, Preprocessing, Quantisation
from offramp.codec import FloatCodec, Grid, fit_codec
from offramp.data import Dataset, load, preprocessing_for
from offramp.exits import NEVER, ExitRule
from offramp.int8 import IntegerDevice
from offramp.nn import MLP, Bottleneck, SplitModel, split_at, to_parts
from offramp.nn.fake_quantise import FakeQuantise
from offramp.plan.judgement.fitted_grids import fitted_grids
from offramp.runtime import edge_scores
from offramp.train import RECIPES, Epoch, Watch, finetune_for_integers, fit
from offramp.train import finetune_integers as subject

RECIPE = dataclasses.replace(RECIPES["cosine"], epochs=20, batch_size=32)


def _trained(blobs: Dataset, preprocessing: Preprocessing, *, encoder: bool) -> SplitModel:
    mlp = MLP([16, 12, 8, 12, 4], [6, 4, None, None], pattern="block", block=(2, 2), seed=0)
    bottleneck = Bottleneck(width=4, relu=False) if encoder else None
    model = split_at(mlp, 2, exit_hidden=[6], bottleneck=bottleneck)
    fit(model, blobs, RECIPE, preprocessing=preprocessing, progress=False)
    return model


def _grids(part: Any) -> tuple[Grid, ...]:
    return tuple(
        Grid(module.bits, tuple(module.low.tolist()), tuple(module.step.tolist()))
        for module in part
        if isinstance(module, FakeQuantise)
    )


@pytest.mark.parametrize("encoder", [True, False], ids=["encoder", "features"])
def test_the_network_in_training_computes_what_integers_do(
    blobs: Dataset, preprocessing: Preprocessing, encoder: bool
) -> None:
    model = _trained(blobs, preprocessing, encoder=encoder)
    raw = blobs.x
    x = torch.from_numpy(preprocessing(raw))
    head = subject._rounded("head", model.head, last_bits=8)
    exit = subject._rounded("exit", model.exit, last_bits=None)
    features, step = subject._fit(head, x, torch.full((16,), 1 / 255))
    scores = subject._fit(exit, features, step)[0].numpy()
    grids, sent = {"head": _grids(head), "exit": _grids(exit)}, features
    if model.encoder is not None:
        made = subject._rounded("encoder", model.encoder, last_bits=8)
        sent, _ = subject._fit(made, features, step)
        grids["encoder"] = _grids(made)
    parts: Any = to_parts(model)
    bundle = Bundle(
        name="blobs",
        preprocessing=preprocessing,
        classes=blobs.classes,
        exit_rule=ExitRule(NEVER),
        codec=FloatCodec(),
        quantisation=Quantisation(None, grids, ExitRule(NEVER)),
        **parts,
    )
    device = IntegerDevice(bundle)
    trace = device.trace(raw)
    # A sum that is nearly a tie may fall to either side of it, and one multiplier in a junction that has a
    # feature of a tiny range may have few bits; both move on to the next junction.
    off = np.abs(device.values(trace.sent) - sent.numpy()) / np.array(device.sent_grid.step)
    assert off.max() < 5
    assert (off > 0.5).mean() < 0.15
    ours = device.real(trace.scores)
    assert np.abs(ours - scores).max() < 0.02 * np.ptp(scores)
    assert (ours.argmax(1) == scores.argmax(1)).mean() > 0.97


class _StopError(Exception):
    pass


class _Stop(Watch):
    def step(self, n_done: int, loss: float) -> None:
        if n_done == 3:
            raise _StopError


def test_the_model_keeps_its_form_and_its_pattern(blobs: Dataset, preprocessing: Preprocessing) -> None:
    model = _trained(blobs, preprocessing, encoder=True)
    layout, names, before = repr(model), list(model.state_dict()), to_parts(model)
    with pytest.raises(_StopError):
        finetune_for_integers(model, blobs, RECIPE, preprocessing=preprocessing, progress=_Stop())
    assert (repr(model), list(model.state_dict())) == (layout, names)
    epochs: list[Epoch] = []
    history = finetune_for_integers(
        model, blobs, RECIPE, preprocessing=preprocessing, epochs=3, progress=epochs.append
    )
    assert list(history.epochs) == epochs
    assert len(epochs) == 3
    assert epochs[0].learning_rate < RECIPE.learning_rate / 3
    assert (repr(model), list(model.state_dict())) == (layout, names)
    for name, part in to_parts(model).items():
        assert part.layers == before[name].layers
        assert part.digest != before[name].digest


def _loss(model: SplitModel, digits: Dataset, preprocessing: Preprocessing) -> float:
    """Of the exit of a device in integers that sends int4, on the training samples."""
    parts: Any = to_parts(model)
    raw, y = digits.split("train")
    bundle = Bundle(
        name="digits",
        preprocessing=preprocessing,
        classes=digits.classes,
        exit_rule=ExitRule(NEVER),
        **parts,
    )
    bundle = dataclasses.replace(bundle, codec=fit_codec("int4", edge_scores(bundle, raw)[1]))
    device = IntegerDevice(dataclasses.replace(bundle, quantisation=fitted_grids(bundle, raw)))
    scores = torch.from_numpy(device.real(device.trace(raw).scores))
    return cross_entropy(scores, torch.from_numpy(y)).item()


def test_integers_lose_less_after_it() -> None:
    digits = load("digits", seed=0)
    common: Any = {"preprocessing": preprocessing_for(digits), "progress": False}
    torch.manual_seed(0)
    model = split_at(MLP([64, 8, 16, 10], seed=0), 1)
    fit(model, digits, RECIPE, **common)
    before = _loss(model, digits, common["preprocessing"])
    finetune_for_integers(model, digits, RECIPE, sent_bits=4, epochs=6, **common)
    assert _loss(model, digits, common["preprocessing"]) < 0.95 * before
