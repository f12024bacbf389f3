"""Train, choose the codec on validation samples, certify on calibration samples, read the test split once."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from offramp.bundle import Bundle, read, write
from offramp.experiments.payload.codecs import (
    FITTED_TO,
    MIN_FITTED,
    Choice,
    Pledge,
    Trial,
    Workbench,
    choose,
)
from offramp.experiments.payload.judge import Judged, judge
from offramp.experiments.payload.networks import PayloadNetwork, check_budget
from offramp.experiments.payload.training import Folder, Key, Load, train_all
from offramp.train import Pool, Watch, Work

_WORK_S = 10.0  # of MNIST, on a core of today

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be studied.

    Args:
        networks: one for each budget.
        seeds: each decides splits, patterns, weights and order of one training of every network.
        least_fitted: training samples, fewer than which no codec is fitted to.
    """

    networks: tuple[PayloadNetwork, ...]
    seeds: tuple[int, ...]
    pledge: Pledge = field(default_factory=Pledge)
    least_fitted: int = MIN_FITTED

    @property
    def keys(self) -> list[Key]:
        """Every network with every seed; half of the time gives every network half of its seeds."""
        return [(network, seed) for seed in self.seeds for network in self.networks]


@dataclass(frozen=True)
class Studied:
    """What came of one budget.

    Args:
        judged: by seed.
        deployed: folder of the first seed's bundle, with codec and threshold.
    """

    network: PayloadNetwork
    choice: Choice
    judged: tuple[Judged, ...]
    deployed: Path


def study(
    plan: Plan,
    load: Load,
    folder: Path,
    *,
    workers: int | None = None,
    progress: bool = True,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Studied]:
    """What every budget gives. Called again with the same folder, trained networks are not trained again.

    Args:
        folder: for the networks, and for checkpoints of what is not finished.
        workers: as in `run_each`.
        tell: called with a line for people whenever something is done.

    Raises:
        ConfigError: a network that is too large for its budget, or does not fit the data.
        DataError: too few calibration samples for the pledge.
        and what `train_bundle` and `run_each` raise.
    """
    dataset = load(seed=plan.seeds[0])
    for network in plan.networks:
        check_budget(network, dataset)
    kept = Folder(folder, dataset)
    with Pool(workers=workers) as pool:
        for (network, seed), bundle in train_all(plan.keys, load, dataset, kept, pool, progress=progress):
            tell(f"{network.name}, seed {seed}: {_validated(bundle)}")
        trials = _of_each(plan, partial(_trying, load, plan, kept), pool, progress=progress)
        choices = {
            network.budget: choose([trials[network.budget, seed] for seed in plan.seeds])
            for network in plan.networks
        }
        for budget, choice in choices.items():
            tell(f"{budget:,} parameters: {_chosen(choice)}")
        told = _of_each(plan, partial(_judging, load, plan, kept, choices), pool, progress=progress)
    return [_studied(plan, network, choices[network.budget], told, folder) for network in plan.networks]


def _studied(
    plan: Plan,
    network: PayloadNetwork,
    choice: Choice,
    told: Mapping[tuple[int, int], tuple[Judged, Bundle]],
    folder: Path,
) -> Studied:
    first, *_ = judged = [told[network.budget, seed] for seed in plan.seeds]
    path = folder / f"{network.budget}.bundle"
    write(first[1], path, overwrite=True)
    return Studied(network, choice, tuple(one for one, _ in judged), path)


def _of_each(
    plan: Plan, work: Callable[[Key], Callable[[Any, Watch], T]], pool: Pool, *, progress: bool
) -> dict[tuple[int, int], T]:
    """The result of every network's and seed's work, by budget and seed."""
    works = [
        Work(f"{network.name}, seed {seed}", work((network, seed)), _WORK_S) for network, seed in plan.keys
    ]
    with closing(pool.run_each(works, progress=progress)) as runs:
        by_index = dict(runs)
    return {(network.budget, seed): by_index[index] for index, (network, seed) in enumerate(plan.keys)}


def _trying(load: Load, plan: Plan, kept: Folder, key: Key) -> Callable[[Any, Watch], list[Trial]]:
    return partial(_try, load, plan, kept.bundle(key), key[1])


def _judging(
    load: Load, plan: Plan, kept: Folder, choices: Mapping[int, Choice], key: Key
) -> Callable[[Any, Watch], tuple[Judged, Bundle]]:
    network, seed = key
    return partial(_judge, load, plan, kept.bundle(key), seed, network.budget, choices[network.budget])


def _try(load: Load, plan: Plan, path: Path, seed: int, _: None, watch: Watch) -> list[Trial]:
    """In a worker: every codec on validation samples."""
    return Workbench(read(path), load(seed=seed), plan.pledge, least=plan.least_fitted).trials()


def _judge(
    load: Load, plan: Plan, path: Path, seed: int, budget: int, choice: Choice, _: None, watch: Watch
) -> tuple[Judged, Bundle]:
    """In a worker: the test samples."""
    workbench = Workbench(read(path), load(seed=seed), plan.pledge, least=plan.least_fitted)
    return judge(workbench, choice, budget=budget, seed=seed)


def _validated(bundle: Bundle) -> str:
    accuracy = bundle.training["validation_accuracy"]
    return (
        f"trained in {bundle.training['seconds']:.1f} s, validation accuracy of the exit"
        f" {accuracy['exit']:.2%}, of the tail {accuracy['tail']:.2%}"
    )


def _chosen(choice: Choice) -> str:
    trial = choice.trial(choice.chosen)
    return (
        f"codec {trial.source.codec}, fitted to {FITTED_TO[trial.source.fitted_to]}: on validation samples"
        f" {trial.mean_bytes:.2f} bytes an offloaded sample, {trial.loss_points:+.2f} points lost"
    )
