"""Networks and their budgets."""

from dataclasses import replace

import numpy as np
import pytest

from offramp.data import SPLITS, Dataset
from offramp.errors import ConfigError
from offramp.experiments.payload import NETWORKS, PayloadNetwork, network_of
from offramp.experiments.payload.networks import check_budget, edge_parameters, on_the_device
from offramp.nn import to_parts
from offramp.system.design import untrained
from offramp.system.lesson import Lesson


@pytest.fixture
def images() -> Dataset:
    """Of the shape of MNIST."""
    splits = {name: np.arange(10 * i, 10 * i + 10) for i, name in enumerate(SPLITS)}
    x = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
    return Dataset("images", x, np.arange(40) % 10, tuple("0123456789"), splits)


@pytest.mark.parametrize("budget", [12_000, 4_000])
def test_head_exit_and_encoder_are_within_the_budget(budget: int, images: Dataset) -> None:
    network = network_of(budget)
    check_budget(network, images)
    parts = to_parts(untrained(images, network.design, seed=3)[0])
    on_device = sum(part.n_parameters for name, part in parts.items() if not name.endswith("tail"))
    assert budget / 2 < on_device <= budget  # the issue counts head, exit and encoder


def test_the_encoder_and_exits_inside_the_head_count(images: Dataset) -> None:
    plain = network_of(12_000)
    design = replace(plain.design, bottleneck=8, inner_exits={"head-2": (), "tail-3": ()})
    parts = to_parts(untrained(images, design, seed=0)[0])
    counted = {name for name in parts if on_the_device(name)}
    assert counted == {"head", "exit", "encoder", "exit-head-2"}
    assert edge_parameters(parts) == sum(parts[name].n_parameters for name in counted)
    with pytest.raises(ConfigError) as error:
        check_budget(replace(plain, design=design, budget=2_000), images)
    assert str(error.value) == (
        f"the network for 2,000 parameters has {edge_parameters(parts):,} on the device;"
        " make its head smaller"
    )


def test_a_budget_without_a_network_names_those_with_one() -> None:
    with pytest.raises(ConfigError, match="no network is meant for 500 parameters; use 12000, 4000"):
        network_of(500)


def test_whatever_changes_the_training_changes_the_digest(small: PayloadNetwork) -> None:
    others = [
        small.with_epochs(13),
        replace(small, lesson=Lesson()),
        replace(small, lesson=Lesson(weight=0.9)),
        replace(small, design=replace(small.design, pool=2)),
        *NETWORKS.values(),
    ]
    assert len({small.digest(), *(one.digest() for one in others)}) == 1 + len(others)
    assert small.digest() == replace(small).digest()
