"""Histories are JSON and come back equal."""

import json

import pytest

from offramp.train import Epoch, History


def test_a_history_survives_json() -> None:
    epochs = (
        Epoch(1, 0.1 + 0.2, None, 0.5, 1e-3, 1.25),
        Epoch(2, 1 / 3, 0.75, 0.875, 9e-4, 1.5, "exits", {"exit-head-2": 0.5}),
    )
    history = History("cosine", 3, True, epochs)
    assert History.from_json(history.to_json()) == history
    assert json.loads(history.to_json())["epochs"][1]["exit_accuracy"] == 0.75
    assert history.seconds == 2.75


def test_a_history_is_strict_json() -> None:
    with pytest.raises(ValueError, match="Out of range float values"):
        History("cosine", 0, False, (Epoch(1, float("nan"), None, 0.5, 1e-3, 1.0),)).to_json()


def test_a_history_of_an_earlier_version_is_read() -> None:
    text = """{"recipe": "cosine", "seed": 3, "fused": true, "epochs": [{"epoch": 1, "train_loss": 0.5,
        "exit_accuracy": 0.25, "tail_accuracy": 0.75, "learning_rate": 0.001, "seconds": 2.0}]}"""
    (epoch,) = History.from_json(text).epochs
    assert epoch == Epoch(1, 0.5, 0.25, 0.75, 1e-3, 2.0, "joint", {})
