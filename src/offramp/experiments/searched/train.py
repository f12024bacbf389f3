"""Found networks trained with several seeds on all training images; what is done is not done again."""

import shutil
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from offramp.bundle import Preprocessing
from offramp.data import Dataset, preprocessing_for
from offramp.experiments.records import Record, RecordFolder
from offramp.experiments.searched.networks import Network
from offramp.train import Distillation, Job, Recipe, Teacher, Trained, Trainers, evaluate, teacher_job

Key = tuple[Network, int]  # and seed


class FoundRun(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A found network, trained with one seed."""

    pooling: int
    distill_weight: float
    temperature: float

    @property
    def network(self) -> Network:
        sides = [int(side) for side in self.block.split("x")] if self.block else [1, 1]
        return Network(
            self.neurons,
            self.out_degrees,
            (sides[0], sides[1]),
            self.pooling,
            self.distill_weight,
            self.temperature,
        )


def train_found(
    networks: Iterable[Network],
    seeds: Sequence[int],
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Generator[FoundRun, None, None]:
    """Train every network with every seed and give the runs as they are done, those of earlier calls first.

    The test split is read once for each network, after its last epoch. Patterns, first weights, the order of
    samples and the teacher all derive from the seed: each seed has a teacher of its own, trained first by the
    same recipe on the same samples, where a network learns from one.

    Args:
        recipe: also the teachers', but for their epochs.
        folder: for the records, the teachers and the checkpoints of what is not finished; the same call goes
            on there.
        workers: as in `fit_each`.

    Raises:
        ConfigError: networks that do not fit the data; records of another recipe or of other data.
        and what `fit_each` raises.
    """
    # Neighbours of one preprocessing: a worker then makes its samples once.
    ordered = sorted(dict.fromkeys(networks), key=lambda one: (one.pooling, one.neurons[0]))
    records = RecordFolder(folder / "runs", FoundRun)
    digest = dataset.digest("train") + dataset.digest("test")
    pending: dict[str, Key] = {}
    for seed in seeds:  # outside: half of the time gives every network half of its seeds
        for network in ordered:
            name = f"{network.name}-seed{seed}"
            run = records.read(name, _expected(network, recipe, seed, digest))
            if run is None:
                pending[name] = (network, seed)
            else:
                yield run
    if not pending:
        return
    tests = _Tests(dataset)
    checkpoints = folder / "checkpoints"
    with Trainers(dataset, workers=workers) as trainers:
        taught = {seed for network, seed in pending.values() if network.distill_weight}
        scores = _teachers(trainers, dataset, recipe, sorted(taught), folder / "teachers", progress=progress)
        jobs = [
            _job(name, *key, recipe, scores, tests.preprocessing(key[0]), checkpoints / name)
            for name, key in pending.items()
        ]
        with closing(trainers.fit_each(jobs, progress=progress)) as trainings:
            for trained in trainings:
                name = trained.job.name
                network, seed = pending[name]
                accuracy = tests.accuracy(trained)
                run = FoundRun(
                    **_expected(network, recipe, seed, digest),
                    parameters=network.parameters,
                    accuracy_percent=round(100 * accuracy, 4),
                    train_s=trained.history.seconds,
                    fused=trained.history.fused,
                )
                records.write(name, run)
                shutil.rmtree(checkpoints / name, ignore_errors=True)
                yield run
    with suppress(OSError):  # not empty: other calls have unfinished runs there
        checkpoints.rmdir()


class _Tests:
    """The test split, preprocessed once for each kind of input."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._preprocessings: dict[tuple[int, int], Preprocessing] = {}
        self._features: dict[Preprocessing, Any] = {}

    def preprocessing(self, network: Network) -> Preprocessing:
        key = network.pooling, network.neurons[0]
        if key not in self._preprocessings:
            self._preprocessings[key] = preprocessing_for(self._dataset, pool=key[0], pad_to=key[1])
        return self._preprocessings[key]

    def accuracy(self, trained: Trained) -> float:
        """Of a network that is done, in 0..1."""
        raw, labels = self._dataset.split("test")
        preprocessing = trained.job.preprocessing
        if preprocessing not in self._features:
            self._features[preprocessing] = preprocessing(raw)
        return evaluate(trained.model, self._features[preprocessing], labels).tail


def _teachers(
    trainers: Trainers,
    dataset: Dataset,
    recipe: Recipe,
    seeds: Sequence[int],
    folder: Path,
    *,
    progress: bool,
) -> dict[int, Any]:
    """Seed -> the scores of its teacher on the samples that the recipe trains on."""
    jobs = [
        teacher_job(
            dataset, recipe, name=f"teacher of seed {seed}", seed=seed, checkpoint=folder / f"seed{seed}"
        )
        for seed in seeds
    ]
    found = {}
    with closing(trainers.fit_each(jobs, progress=progress)) as trainings:
        for trained in trainings:
            teacher = Teacher(trained.model, trained.job.preprocessing)
            found[trained.job.seed] = teacher.scores(dataset, recipe)
    return found


def _job(
    name: str,
    network: Network,
    seed: int,
    recipe: Recipe,
    scores: Mapping[int, Any],
    preprocessing: Preprocessing,
    checkpoint: Path,
) -> Job:
    weight = network.distill_weight
    return Job(
        name=name,
        model=network.model(seed=seed),
        recipe=recipe,
        preprocessing=preprocessing,
        seed=seed,
        checkpoint=checkpoint,
        distillation=Distillation(scores=scores[seed], weight=weight, temperature=network.temperature)
        if weight
        else None,
    )


def _expected(network: Network, recipe: Recipe, seed: int, data_digest: str) -> dict[str, Any]:
    """What a record must say to be of this network, recipe, seed and data."""
    return {
        "neurons": network.neurons,
        "out_degrees": network.out_degrees,
        "recipe": recipe.to_dict(),
        "pattern": network.pattern_name,
        "block": network.block_name,
        "pooling": network.pooling,
        "distill_weight": network.distill_weight,
        "temperature": network.temperature,
        "seed": seed,
        "data_digest": data_digest,
    }
