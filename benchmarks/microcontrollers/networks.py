"""The networks that are held against each other, sparse and dense, and how they are trained.

They come from a search by validation accuracy, about 160 trainings of dense networks and 570 of sparse
ones, whose space is larger: over widths, depth, pooling, share of the teacher and, for the sparse ones,
degrees, blocks and the pattern's seed, all trained with seed 0. What the page shows is trained with other
seeds.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from offramp.bundle import Preprocessing
from offramp.data import Dataset, preprocessing_for
from offramp.nn import MLP
from offramp.train import RECIPES, Distillation, Job, Teacher, Trained, Trainers, teacher_job

RECIPE = RECIPES["cosine"]


@dataclass(frozen=True)
class Network:
    """A perceptron on images averaged over windows; the last junction is the exit, those before it the head.

    Args:
        pool: side of the windows.
        neurons: inputs, padded with zeros, to classes.
        out_degrees: None is dense.
        block: (r, c) wanted.
        pattern_seed: of the pattern, the same whatever seed the training has.
        teacher: its share of what is learnt.
    """

    pool: int
    neurons: tuple[int, ...]
    out_degrees: tuple[int | None, ...] = ()
    pattern: str = "block"
    block: tuple[int, int] = (1, 1)
    pattern_seed: int = 0
    teacher: float = 0.5

    @property
    def is_dense(self) -> bool:
        return not any(self.out_degrees)

    @property
    def edges(self) -> int:
        """Multiply-adds of an image."""
        degrees = self.out_degrees or (None,) * (len(self.neurons) - 1)
        junctions = zip(pairwise(self.neurons), degrees, strict=True)
        return sum(n_in * (degree or n_out) for (n_in, n_out), degree in junctions)

    @property
    def words(self) -> str:
        """For tables."""
        neurons = "-".join(map(str, self.neurons))
        if self.is_dense:
            return f"{neurons}, dense, {self.pool}×{self.pool} means"
        degrees = ", ".join("all" if degree is None else str(degree) for degree in self.out_degrees)
        return f"{neurons}, out-degrees {degrees}, {self.pattern}, {self.pool}×{self.pool} means"

    def model(self) -> MLP:
        """Untrained."""
        degrees = self.out_degrees or None
        return MLP(self.neurons, degrees, pattern=self.pattern, block=self.block, seed=self.pattern_seed)

    def preprocessing(self, dataset: Dataset) -> Preprocessing:
        return preprocessing_for(dataset, pool=self.pool, pad_to=self.neurons[0])


Key = tuple[Network, int]  # and seed

SPARSE = {
    "96.4%": Network(2, (224, 24, 40, 10), (3, None, 9), pattern="affine", block=(8, 8), pattern_seed=472),
    "97.1%": Network(2, (224, 56, 40, 10), (8, 20, None), block=(4, 2), pattern_seed=605, teacher=0.7),
}
"""By their validation accuracy."""

CANDIDATES = (
    Network(4, (49, 16, 14, 10), teacher=0.9),
    Network(4, (49, 20, 12, 10)),
    Network(4, (49, 24, 10), teacher=0.9),
    Network(4, (49, 18, 20, 10)),
    Network(4, (49, 20, 18, 10), teacher=0.9),
    Network(4, (49, 20, 24, 10), teacher=0.9),
    Network(4, (49, 36, 10)),
    Network(4, (49, 40, 10)),
    Network(4, (49, 48, 10)),
    Network(4, (49, 40, 18, 10), teacher=0.7),
    Network(2, (196, 14, 28, 10)),
    Network(4, (49, 40, 32, 10)),
    Network(2, (196, 16, 24, 10)),
    Network(2, (196, 16, 28, 10)),
    Network(2, (196, 16, 32, 10)),
    Network(2, (196, 18, 24, 10)),
    Network(2, (196, 18, 40, 10)),
    Network(2, (196, 20, 28, 10), teacher=0.9),
    Network(2, (196, 20, 40, 10)),
    Network(2, (196, 28, 18, 10)),
)
"""Dense, from few edges to many: what the search left of them, where no smaller one was as accurate."""


def train(
    networks: Iterable[Network], seeds: Sequence[int], dataset: Dataset, *, checkpoints: Path | None = None
) -> dict[Key, Trained]:
    """Every network with every seed, taught by a teacher of that seed.

    Args:
        checkpoints: a folder, through which the same call gives the same at once.
    """
    with Trainers(dataset) as trainers:
        teachers = [
            teacher_job(dataset, RECIPE, name=name, seed=seed, checkpoint=_place(checkpoints, name))
            for name, seed in ((f"teacher-{seed}", seed) for seed in seeds)
        ]
        scores = {}
        with closing(trainers.fit_each(teachers)) as done:
            for trained in done:
                teacher = Teacher(trained.model, trained.job.preprocessing)
                scores[trained.job.seed] = teacher.scores(dataset, RECIPE)
        keys = {f"{network.words}-{seed}": (network, seed) for network in networks for seed in seeds}
        jobs = [
            _job(name, network, seed, dataset, scores[seed], _place(checkpoints, name))
            for name, (network, seed) in keys.items()
        ]
        with closing(trainers.fit_each(jobs)) as done:
            return {keys[trained.job.name]: trained for trained in done}


def _job(
    name: str, network: Network, seed: int, dataset: Dataset, scores: np.ndarray, checkpoint: Path | None
) -> Job:
    taught = Distillation(scores=scores, weight=network.teacher) if network.teacher else None
    return Job(
        name=name,
        model=network.model(),
        recipe=RECIPE,
        preprocessing=network.preprocessing(dataset),
        seed=seed,
        checkpoint=checkpoint,
        distillation=taught,
    )


def _place(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / name
