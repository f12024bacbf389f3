"""The networks of a comparison, trained with several seeds. Imports Torch."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from offramp.bundle import Bundle
from offramp.cli.console import note
from offramp.data import Dataset
from offramp.experiments import spread
from offramp.plan.judgement import verdicts
from offramp.report import Candidate, Estimate
from offramp.system.design import Design, untrained
from offramp.system.training import train_bundle
from offramp.train import RECIPES, Recipe, Watch, Work, expected_s, run_each

RECIPE = "cosine"

Load = Callable[..., Dataset]  # called with `seed=`, which decides the splits; it travels to workers


@dataclass(frozen=True, kw_only=True)
class Designs:
    """The networks to be compared.

    Args:
        small_dense: with about as many parameters in its head as the sparse one.
        dense: candidates, from narrow to wide; the one of the sparse network's accuracy is compared.
    """

    sparse: Design
    small_dense: Design
    dense: Sequence[Design]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the figures, besides data, networks and machine.

    Args:
        seeds: each decides splits, patterns, weights and order of one training of every network; the first
            one's networks are streamed.
        samples: of the test split to stream, None for all.
        threads: of training, of the edge's kernels and of the tail's, each.
    """

    seeds: tuple[int, ...]
    epochs: int
    batch_size: int
    rate_bits_per_s: float
    delay_ms: float
    deadline_s: float
    samples: int | None
    threads: int

    @property
    def recipe(self) -> Recipe:
        return replace(RECIPES[RECIPE], epochs=self.epochs, batch_size=self.batch_size)


class Trained(NamedTuple):
    """A network trained with one seed."""

    bundle: Bundle
    training_s: float
    validation_accuracy: float  # of the system


class Contender(NamedTuple):
    """A network trained with every seed."""

    design: Design
    trained: tuple[Trained, ...]

    def candidate(self) -> Candidate:
        return Candidate(
            neurons=list(self.design.neurons),
            head_parameters=self.trained[0].bundle.parts["head"].n_parameters,
            validation_accuracy=estimate([one.validation_accuracy for one in self.trained]),
        )


def train_all(
    designs: Mapping[str, Design], load: Load, dataset: Dataset, settings: Settings
) -> list[Contender]:
    """Every design trained with every seed, several at once; a line for people whenever one is done."""
    keys = [(name, seed) for name in designs for seed in settings.seeds]
    works = []
    for name, seed in keys:
        model, _ = untrained(dataset, designs[name], seed=seed)
        call = partial(_train, load, name.partition(",")[0], designs[name], seed, settings)
        expected = expected_s(model, dataset, settings.recipe)
        works.append(Work(f"{name}, seed {seed}" if len(settings.seeds) > 1 else name, call, expected))
    done: dict[tuple[str, int], Trained] = {}
    contenders = {}
    with closing(run_each(works, threads=settings.threads)) as runs:
        for index, trained in runs:
            done[keys[index]] = trained
            name = keys[index][0]
            if all((name, seed) in done for seed in settings.seeds):
                ours = tuple(done[name, seed] for seed in settings.seeds)
                contenders[name] = Contender(designs[name], ours)
                note(_told(name, ours))
    return [contenders[name] for name in designs]


def _train(
    load: Load, name: str, design: Design, seed: int, settings: Settings, shared: None, watch: Watch
) -> Trained:
    """In a worker, perhaps: one network, which sees no test sample."""
    dataset = load(seed=seed)
    bundle, history = train_bundle(
        name, dataset, design, settings.recipe, seed=seed, threads=settings.threads, progress=watch
    )
    right = verdicts(bundle, *dataset.split("validation")).system_right
    return Trained(bundle, history.seconds, float(right.mean()))


def _told(name: str, trained: Sequence[Trained]) -> str:
    seconds, accuracy = np.mean([(one.training_s, one.validation_accuracy) for one in trained], axis=0)
    return f"{name}: trained in {seconds:.1f} s, validation accuracy {accuracy:.2%}"


def estimate(values: Sequence[float]) -> Estimate:
    """A figure of several trainings, with the interval that all commands tell."""
    found = spread(values)
    return Estimate(mean=found.mean, margin=found.margin, values=list(values))
