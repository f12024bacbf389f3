"""Recipes say what the paper says, and refuse what cannot be."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.errors import ConfigError
from offramp.train import RECIPES, Recipe

PAPER, COSINE = RECIPES["paper"], RECIPES["cosine"]


def test_the_papers_recipe_is_as_published() -> None:
    assert PAPER.to_dict() == {
        "name": "paper",
        "learning_rate": 1e-3,
        "schedule": "inverse_time",
        "decay": 1e-5,
        "warmup_steps": 0,
        "init": "dense_fan_in",
        "initial_bias": 0.1,
        "epochs": 50,
        "batch_size": 256,
        "exit_weight": 0.5,
        "train_on_everything": True,
    }
    assert PAPER.learning_rate_at(0, n_steps=11750) == 1e-3
    assert PAPER.learning_rate_at(11749, n_steps=11750) == 1e-3 / (1 + 1e-5 * 11749)


def test_records_of_earlier_versions_are_of_the_same_recipe() -> None:
    """Of the new settings a record has those that change something."""
    new = {"exits", "self_distillation", "temperature"}
    assert dataclasses.asdict(COSINE).keys() - COSINE.to_dict().keys() == new
    assert dataclasses.replace(COSINE, temperature=2.0).to_dict() == COSINE.to_dict()
    frozen = dataclasses.replace(COSINE, exits="frozen")
    assert frozen.to_dict() == {**COSINE.to_dict(), "exits": "frozen"}
    taught = dataclasses.replace(COSINE, self_distillation=0.5, temperature=2.0).to_dict()
    assert taught == {**COSINE.to_dict(), "self_distillation": 0.5, "temperature": 2.0}


@pytest.mark.parametrize(("epochs", "second"), [(2, 1), (3, 1), (5, 1), (6, 2), (50, 16)])
def test_the_second_phase_has_a_third_of_the_epochs(epochs: int, second: int) -> None:
    joint = dataclasses.replace(COSINE, epochs=epochs)
    assert joint.phases == (("joint", epochs),)
    frozen, mixed = (dataclasses.replace(joint, exits=way) for way in ("frozen", "mixed"))
    assert frozen.phases == (("backbone", epochs - second), ("exits", second))
    assert mixed.phases == (("backbone", epochs - second), ("joint", second))


def test_the_cosine_recipe_rises_then_falls_to_nothing() -> None:
    rates = [COSINE.learning_rate_at(step, n_steps=11750) for step in range(11750)]
    assert rates[:3] == pytest.approx([6e-3 / 200, 12e-3 / 200, 18e-3 / 200])
    assert max(rates) == rates[199] == rates[200] == 6e-3
    assert rates[200 + 11550 // 2] == pytest.approx(3e-3)
    assert 0 < rates[-1] < 1e-9


@given(st.integers(1, 3000))
def test_short_runs_warm_up_for_at_most_a_tenth(n_steps: int) -> None:
    rates = [COSINE.learning_rate_at(step, n_steps=n_steps) for step in range(n_steps)]
    peak = rates.index(max(rates))
    assert peak <= n_steps // 10
    assert rates[peak] == pytest.approx(6e-3)
    assert min(rates) > 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"epochs": 0}, "epochs=0 of a recipe must be at least 1"),
        ({"batch_size": 0}, "batch_size=0 of a recipe must be at least 1"),
        ({"learning_rate": float("nan")}, "learning_rate=nan of a recipe must be positive, as in 1e-3"),
        ({"decay": -1.0}, r"decay=-1.0 of a recipe must be 0 or more"),
        ({"warmup_steps": -1}, "warmup_steps=-1 of a recipe must be 0 or more"),
        ({"initial_bias": float("inf")}, "initial_bias=inf of a recipe must be finite"),
        ({"exit_weight": -0.5}, "exit_weight=-0.5 of a recipe must be 0 or more"),
        ({"schedule": "linear"}, r"schedule='linear' of a recipe must be one of inverse_time, warmup_cosine"),
        ({"exits": "late"}, r"exits='late' of a recipe must be one of joint, frozen, mixed"),
        ({"exits": "mixed", "epochs": 1}, "epochs=1 of a recipe must be at least 2 with exits='mixed'"),
        ({"self_distillation": 1.5}, "self_distillation=1.5 of a recipe must be in 0..1"),
        ({"temperature": 0.0}, "temperature=0.0 of a recipe must be above 0 and finite, as in 4"),
        ({"init": "zeros"}, r"init='zeros' of a recipe must be one of dense_fan_in, in_degree"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_settings_out_of_range_are_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        dataclasses.replace(COSINE, **change)


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe(name="mine", learning_rate=1.0, schedule="inverse_time", init="in_degree").epochs = 3  # type: ignore[misc]
