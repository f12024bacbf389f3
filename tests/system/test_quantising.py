"""A bundle that is trained on for integers is a bundle as before, with parts and rules of its own."""

from dataclasses import replace
from typing import Any

import pytest

from offramp.bundle import Bundle, InnerExit
from offramp.codec import GriddedCodec
from offramp.data import Dataset, load
from offramp.errors import ConfigError
from offramp.exits import NEVER, ExitRule
from offramp.plan.judgement import Goal, quantised, settled
from offramp.system.design import Design
from offramp.system.quantising import finetuned
from offramp.system.training import train_bundle
from offramp.train import RECIPES


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits", seed=0)


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> Bundle:
    design = Design(neurons=(64, 16, 32, 10), out_degrees=(4, None, None), codec="int4")
    return train_bundle("digits", digits, design, replace(RECIPES["cosine"], epochs=10), progress=False)[0]


@pytest.fixture(scope="module")
def tuned(trained: Bundle, digits: Dataset) -> Bundle:
    return finetuned(trained, digits, epochs=2, progress=False)


def test_layers_stay_and_weights_are_new(trained: Bundle, tuned: Bundle) -> None:
    for name, part in tuned.parts.items():
        assert part.layers == trained.parts[name].layers
        assert part.digest != trained.parts[name].digest
    assert tuned.head_digest != trained.head_digest
    assert (tuned.name, tuned.preprocessing, tuned.classes) == (
        trained.name,
        trained.preprocessing,
        trained.classes,
    )
    assert tuned.training["finetuned_for_integers"]["history"][1]["epoch"] == 2
    assert tuned.training["history"] == trained.training["history"]


def test_codec_and_threshold_are_those_of_the_new_features(
    trained: Bundle, tuned: Bundle, digits: Dataset
) -> None:
    assert isinstance(tuned.codec, GriddedCodec)
    assert tuned.codec.name == "int4"
    assert tuned.codec != trained.codec
    assert tuned.exit_rule == settled(tuned, *digits.split("calibration"))[0]
    assert quantised(tuned, *digits.split("calibration")).bundle.quantisation is not None


def test_a_goal_holds_for_the_float32_exit_too(trained: Bundle, digits: Dataset) -> None:
    found = finetuned(trained, digits, goal=Goal(0.1), epochs=1, progress=False)
    assert found.exit_rule.evidence["risk"] == 0.1


def test_whatever_the_record_holds_it_is_trained(trained: Bundle, digits: Dataset) -> None:
    for recipe in ("none", {"epochs": 3}, {"mood": "good"}):
        training: dict[str, Any] = {**trained.training, "recipe": recipe}
        found = finetuned(replace(trained, training=training), digits, epochs=1, progress=False)
        assert found.training["recipe"] == recipe


def test_inner_exits_are_refused(trained: Bundle, digits: Dataset) -> None:
    assert trained.exit is not None
    inner = InnerExit("head", 1, trained.exit, ExitRule(NEVER))
    with pytest.raises(ConfigError, match="has inner exits; fine-tuning for integers knows none"):
        finetuned(replace(trained, inner_exits=(inner,)), digits)
