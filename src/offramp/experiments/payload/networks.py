"""The networks whose payload is measured. Imports Torch."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from offramp.bundle import Part
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.nn import to_parts
from offramp.system.design import Design, untrained
from offramp.system.lesson import Lesson
from offramp.train import RECIPES, Recipe

_ON_THE_DEVICE = ("head", "exit", "encoder")


@dataclass(frozen=True, kw_only=True)
class PayloadNetwork:
    """A split network for a device that holds so many parameters.

    Args:
        budget: most weights and biases of head, exits on the device and encoder together; the tail has any.
        lesson: whom it learns from beside the labels.
    """

    budget: int
    design: Design
    recipe: Recipe
    lesson: Lesson | None = None

    @property
    def name(self) -> str:
        """What its bundle is called."""
        return f"payload-{self.budget}"

    def with_epochs(self, epochs: int) -> "PayloadNetwork":
        """The same for another number of passes over the data."""
        return replace(self, recipe=replace(self.recipe, epochs=epochs))

    def digest(self) -> str:
        """10 hex digits that name all settings of its training but data and seed."""
        lesson = None if self.lesson is None else {**asdict(self.lesson), "teacher": str(self.lesson.teacher)}
        return digest_of({"design": asdict(self.design), "recipe": self.recipe.to_dict(), "lesson": lesson})


# Chosen on validation samples of MNIST among a dozen heads, one or two junctions deep and with or without a
# bottleneck; no test sample was read for them.
_RECIPE = replace(RECIPES["cosine"], epochs=30)
NETWORKS = {
    network.budget: network
    for network in (
        PayloadNetwork(
            budget=12_000,
            design=Design(neurons=(208, 128, 64, 512, 10), out_degrees=(32, 16, None, None), cut=2, pool=2),
            recipe=_RECIPE,
            lesson=Lesson(),
        ),
        PayloadNetwork(
            budget=4_000,
            design=Design(neurons=(208, 64, 32, 512, 10), out_degrees=(8, 16, None, None), cut=2, pool=2),
            recipe=_RECIPE,
            lesson=Lesson(),
        ),
    )
}


def digest_of(settings: Mapping[str, Any]) -> str:
    """10 hex digits that name these JSON values."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:10]


def network_of(budget: int) -> PayloadNetwork:
    """The network for this budget.

    Raises:
        ConfigError: there is none.
    """
    if budget not in NETWORKS:
        known = ", ".join(map(str, NETWORKS))
        raise ConfigError(f"no network is meant for {budget} parameters; use {known}")
    return NETWORKS[budget]


def check_budget(network: PayloadNetwork, dataset: Dataset) -> None:
    """Raise ConfigError where the device's parts have more parameters than the budget."""
    model, _ = untrained(dataset, network.design, seed=0)
    n_parameters = edge_parameters(to_parts(model))
    if n_parameters > network.budget:
        raise ConfigError(
            f"the network for {network.budget:,} parameters has {n_parameters:,} on the device;"
            " make its head smaller"
        )


def edge_parameters(parts: Mapping[str, Part]) -> int:
    """Weights and biases of all parts that the device runs."""
    return sum(part.n_parameters for name, part in parts.items() if on_the_device(name))


def on_the_device(part: str) -> bool:
    """Whether the part of this name runs there."""
    return part in _ON_THE_DEVICE or part.startswith("exit-head-")
