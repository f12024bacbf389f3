"""Ways to train an exit: with the backbone or after it, self-distilled or not, with a final ReLU or without.

`python -m benchmarks.exit_training --data mnist --data-dir DIR --seeds 5 --markdown exits.md` trains every
combination with every seed, one training on each core, and prints a table of accuracies on the validation
split, means with 95% intervals. The test split is never read.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple, get_args

from offramp.bundle import Preprocessing
from offramp.data import Dataset, load, preprocessing_for
from offramp.experiments.statistics import Spread, spread
from offramp.nn import MLP, SplitModel, split_midpoint
from offramp.train import RECIPES, Job, Recipe, Trained, fit_many
from offramp.train.recipe import ExitTraining

WAYS: tuple[ExitTraining, ...] = get_args(ExitTraining)
SHARES = (0.0, 0.5)  # the tail's word in what exits are told
RELUS = (False, True)  # on the scores

# Widths, out-degrees and batch by data set: head and exit have 10,050 parameters for MNIST, 874 for digits.
NETWORKS: dict[str, tuple[list[int], list[int | None], int]] = {
    "mnist": ([800, 40, 128, 10], [12, None, None], 128),
    "digits": ([64, 32, 64, 10], [8, None, None], 32),
}


class Way(NamedTuple):
    """One row of the table."""

    exits: ExitTraining
    share: float
    final_relu: bool


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exit_training", description=__doc__)
    parser.add_argument("--data", choices=list(NETWORKS), default="digits")
    parser.add_argument("--data-dir", type=Path, help="where MNIST's files are")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each row, each on its own splits")
    parser.add_argument("--epochs", type=int, help="of a training, the recipe's if left out")
    parser.add_argument("--recipe", choices=list(RECIPES), default="cosine")
    parser.add_argument("--workers", type=int, help="trainings at once, one on each core if left out")
    parser.add_argument("--markdown", type=Path, help="also write the table here")
    arguments = parser.parse_args()

    recipe = replace(RECIPES[arguments.recipe], train_on_everything=False)
    _, _, batch_size = NETWORKS[arguments.data]
    recipe = replace(recipe, epochs=arguments.epochs or recipe.epochs, batch_size=batch_size)
    found: dict[Way, list[Trained]] = {way: [] for way in _ways()}
    for seed in range(arguments.seeds):
        dataset = load(arguments.data, data_dir=arguments.data_dir, seed=seed)
        for way, trained in _trained(dataset, arguments.data, recipe, seed, arguments.workers):
            found[way].append(trained)
        print(f"seed {seed + 1} of {arguments.seeds}", file=sys.stderr)
    page = _page(found, arguments.data, recipe, arguments.seeds)
    print(page)
    if arguments.markdown:
        arguments.markdown.write_text(page + "\n", encoding="utf-8")


def _trained(
    dataset: Dataset, data: str, recipe: Recipe, seed: int, workers: int | None
) -> Iterator[tuple[Way, Trained]]:
    """Every way with this seed: the same samples, first weights and patterns for all."""
    neurons, out_degrees, _ = NETWORKS[data]
    preprocessing = preprocessing_for(dataset, pad_to=neurons[0])
    jobs = {way: _job(way, neurons, out_degrees, recipe, preprocessing, seed) for way in _ways()}
    done = fit_many(list(jobs.values()), dataset, workers=workers, progress=sys.stderr.isatty())
    yield from zip(jobs, done, strict=True)


def _ways() -> Iterator[Way]:
    return map(Way._make, product(WAYS, SHARES, RELUS))


def _job(
    way: Way,
    neurons: list[int],
    out_degrees: list[int | None],
    recipe: Recipe,
    preprocessing: Preprocessing,
    seed: int,
) -> Job:
    return Job(
        name=f"{way.exits} {way.share:g} {'relu' if way.final_relu else 'plain'} seed {seed}",
        model=_model(neurons, out_degrees, way.final_relu, seed),
        recipe=replace(recipe, exits=way.exits, self_distillation=way.share),
        preprocessing=preprocessing,
        seed=seed,
    )


def _model(neurons: list[int], out_degrees: list[int | None], final_relu: bool, seed: int) -> SplitModel:
    mlp = MLP(neurons, out_degrees, pattern="block", block=(4, 4), seed=seed, final_relu=final_relu)
    return split_midpoint(mlp)


def _page(found: dict[Way, list[Trained]], data: str, recipe: Recipe, n_seeds: int) -> str:
    neurons, out_degrees, batch_size = NETWORKS[data]
    lines = [
        f"Right answers on the validation samples of {data}, per cent: mean of {n_seeds} seeds and its 95%",
        f"interval. Network {neurons}, cut after the first junction, which has out-degree {out_degrees[0]};",
        f"recipe {recipe.name}, {recipe.epochs} epochs in all, batch {batch_size}.",
        "",
        "| exits | self-distillation | final ReLU | exit | exit - joint | tail | tail - joint | fused |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(way, found) for way in found),
    ]
    return "\n".join(lines)


def _row(way: Way, found: dict[Way, list[Trained]]) -> str:
    """Differences are seed by seed, to joint training without anything else."""
    plain = found[Way("joint", 0.0, False)]
    cells = [way.exits, f"{way.share:g}" if way.share else "off", "yes" if way.final_relu else "no"]
    for name in ("exit_accuracy", "tail_accuracy"):
        ours, theirs = _last(found[way], name), _last(plain, name)
        differences = [mine - other for mine, other in zip(ours, theirs, strict=True)]
        cells += [_cell(spread(ours)), "" if found[way] is plain else _cell(spread(differences), sign="+")]
    cells.append("yes" if found[way][0].history.fused else "no")
    return f"| {' | '.join(cells)} |"


def _last(runs: list[Trained], name: str) -> list[float]:
    return [100 * getattr(trained.history.epochs[-1], name) for trained in runs]


def _cell(found: Spread, sign: str = "") -> str:
    return f"{found.mean:{sign}.2f}" + ("" if found.margin is None else f" ± {found.margin:.2f}")


if __name__ == "__main__":
    main()
