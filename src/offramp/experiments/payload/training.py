"""The networks trained with every seed, several at once; what is trained stays so. Imports Torch."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from offramp.bundle import Bundle, read, write
from offramp.data import Dataset, samples_digest
from offramp.experiments.payload.networks import PayloadNetwork, digest_of
from offramp.system.design import untrained
from offramp.system.lesson import teacher_folder
from offramp.system.training import train_bundle
from offramp.train import Pool, Recipe, Watch, Work, expected_s, teacher_job, train_teacher

Load = Callable[..., Dataset]  # called with `seed=`, which decides the splits; it travels to workers
Key = tuple[PayloadNetwork, int]  # and seed


class Folder:
    """Where trained networks are kept, by names that tell settings, seed and data apart.

    Args:
        path: holds nothing else of these names.
        dataset: of any seed.
    """

    def __init__(self, path: Path, dataset: Dataset) -> None:
        self.path, self._dataset = path, dataset
        self._data = samples_digest(dataset.x, dataset.y)[:10]

    def bundle(self, key: Key) -> Path:
        """Of a trained network."""
        return self.path / "networks" / self._name(key)

    def checkpoint(self, key: Key) -> Path:
        """Of one that is not finished."""
        return self.path / "checkpoints" / self._name(key)

    def teacher(self, recipe: Recipe, seed: int) -> Path:
        """Checkpoint of the default teacher of all networks with this recipe, whatever their epochs."""
        settings = digest_of(teacher_job(self._dataset, recipe).recipe.to_dict())
        return self.path / "teachers" / f"{settings}-{self._data}-seed{seed}"

    def discard(self, key: Key) -> None:
        """Delete what nobody needs once the network is trained."""
        shutil.rmtree(self.checkpoint(key), ignore_errors=True)
        with suppress(OSError):  # not empty: others are not finished
            (self.path / "checkpoints").rmdir()

    def _name(self, key: Key) -> str:
        network, seed = key
        return f"{network.name}-{network.digest()}-{self._data}-seed{seed}"


def train_all(
    keys: Sequence[Key], load: Load, dataset: Dataset, folder: Folder, pool: Pool, *, progress: bool
) -> Iterator[tuple[Key, Bundle]]:
    """Every trained network as it is done, those of earlier calls first.

    Raises:
        what `train_bundle` and `run_each` raise.
    """
    pending = []
    for key in keys:
        if folder.bundle(key).is_dir():
            yield key, read(folder.bundle(key))
        else:
            pending.append(key)
    if not pending:
        return
    _train_teachers(pending, load, dataset, folder, pool, progress=progress)
    (folder.path / "networks").mkdir(parents=True, exist_ok=True)
    works = [_work(key, load, dataset, folder) for key in pending]
    with closing(pool.run_each(works, progress=progress)) as runs:
        for index, bundle in runs:
            write(bundle, folder.bundle(pending[index]))
            folder.discard(pending[index])
            yield pending[index], bundle


def _train_teachers(
    keys: Sequence[Key], load: Load, dataset: Dataset, folder: Folder, pool: Pool, *, progress: bool
) -> None:
    """The default teachers that these networks learn from, one for all networks of a seed and recipe."""
    needed = {
        folder.teacher(network.recipe, seed): (network.recipe, seed)
        for network, seed in keys
        if _learns_from_default(network)
    }
    works = [
        Work(
            f"teacher, seed {seed}",
            partial(_teach, load, recipe, seed, path),
            expected_s((job := teacher_job(dataset, recipe)).model, dataset, job.recipe),
        )
        for path, (recipe, seed) in needed.items()
        if not path.is_dir()
    ]
    with closing(pool.run_each(works, progress=progress)) as runs:
        for _ in runs:
            pass


def _teach(load: Load, recipe: Recipe, seed: int, path: Path, _: None, watch: Watch) -> None:
    """In a worker: a teacher, which leaves its checkpoint under its name once it is finished."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    train_teacher(load(seed=seed), recipe, seed=seed, checkpoint=unfinished, progress=watch)
    unfinished.rename(path)


def _work(key: Key, load: Load, dataset: Dataset, folder: Folder) -> Work[Bundle]:
    network, seed = key
    model, _ = untrained(dataset, network.design, seed=seed)
    teacher = folder.teacher(network.recipe, seed) if _learns_from_default(network) else None
    call = partial(_train, load, key, teacher, folder.checkpoint(key))
    return Work(f"{network.name}, seed {seed}", call, expected_s(model, dataset, network.recipe))


def _train(load: Load, key: Key, teacher: Path | None, checkpoint: Path, _: None, watch: Watch) -> Bundle:
    """In a worker: one network, which sees no test sample."""
    network, seed = key
    if teacher is not None:  # its finished training is found, and not done again
        shutil.copytree(teacher, teacher_folder(checkpoint), dirs_exist_ok=True)
    bundle, _history = train_bundle(
        network.name,
        load(seed=seed),
        network.design,
        network.recipe,
        seed=seed,
        lesson=network.lesson,
        checkpoint=checkpoint,
        progress=watch,
    )
    return bundle


def _learns_from_default(network: PayloadNetwork) -> bool:
    return network.lesson is not None and network.lesson.teacher is None
