"""Several models trained at once, one on each core."""

import copy
import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import torch
from torch import nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.train.distil import Distillation
from offramp.train.fit import fit
from offramp.train.history import History
from offramp.train.pool import Pool, Work, with_owner
from offramp.train.progress import Watch
from offramp.train.recipe import Recipe
from offramp.train.samples import KEPT_BYTES, Samples
from offramp.train.stages import Stage, stages

# Of a core with AVX-512, 2026: what a step costs besides its multiply-adds, and how many of those it does.
_FUSED_STEP_S, _AUTOGRAD_STEP_S, _MACS_PER_S = 5e-5, 1e-3, 1.5e10


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """A model to be trained, with `fit`'s arguments.

    Args:
        name: what messages and results call it.
        model: a module, which stays as it is, so that several jobs may have the same one; or a function that
            builds one, in the worker and with Torch seeded by `seed`.
        checkpoint: a folder of this job alone.
    """

    name: str
    model: nn.Module | Callable[[], nn.Module]
    recipe: Recipe
    preprocessing: Preprocessing
    seed: int = 0
    checkpoint: Path | str | None = None
    checkpoint_every_s: float = 30.0
    distillation: Distillation | None = None
    initialise: bool = True
    fused: bool = True


@dataclass(frozen=True, eq=False)
class Trained:
    """A job, the model it trained and how that went."""

    job: Job
    model: nn.Module
    history: History


def fit_each(
    jobs: Sequence[Job],
    dataset: Dataset,
    *,
    workers: int | None = None,
    threads: int = 1,
    progress: bool = True,
) -> Generator[Trained, None, None]:
    """Train every job's model, several at once, and give them as they are done.

    Models and histories are, bit for bit, those of `fit` with Torch on as many `threads`. Called again with
    the same checkpoints, jobs go on where they were, and finished ones come back at once.

    The first error ends it all, named with its job, after the jobs that were running have saved their
    checkpoints. Ctrl-C and a closed iterator do the same; see `run_each`, also for what workers cost. The
    data set travels to each worker once, as it is; preprocessed float32 copies are made there, and up to 256
    MiB of them (`KEPT_BYTES`) kept for the worker's next jobs: neighbours with one preprocessing are fast.

    Args:
        workers: processes; None for one on each core, or fewer where the work is not worth their start. With
            1 everything runs in this process.
        threads: Torch's, in each worker.
        progress: show one bar over all jobs, with the time left, if stderr is a terminal.

    Raises:
        ConfigError: two jobs with one name or checkpoint, a model that cannot be sent to a worker; and what
            `fit` raises.
        PeerError: a worker was killed.
    """
    trainers = Trainers(dataset, workers=workers, threads=threads)
    return with_owner(trainers, trainers.fit_each(jobs, progress=progress))


class Trainers:
    """Workers that stay for several calls of `fit_each`, with the samples that they have preprocessed.

    Args:
        dataset, workers, threads: as in `fit_each`.
    """

    def __init__(self, dataset: Dataset, *, workers: int | None = None, threads: int = 1) -> None:
        self._dataset = dataset
        self._pool = Pool(Samples(dataset, keep_bytes=KEPT_BYTES), workers=workers, threads=threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.close()

    def fit_each(self, jobs: Sequence[Job], *, progress: bool = True) -> Generator[Trained, None, None]:
        """As the function of this name does it."""
        folders = [Path(job.checkpoint).resolve() for job in jobs if job.checkpoint is not None]
        if len(set(folders)) < len(folders):
            raise ConfigError("two jobs have the same checkpoint folder; give each its own")
        works = [
            Work(
                job.name,
                partial(_fit, job),
                expected_s(job.model, self._dataset, job.recipe, fused=job.fused),
            )
            for job in jobs
        ]
        return _trained(jobs, self._pool.run_each(works, progress=progress))


def fit_many(
    jobs: Sequence[Job],
    dataset: Dataset,
    *,
    workers: int | None = None,
    threads: int = 1,
    progress: bool = True,
    on_trained: Callable[[Trained], None] | None = None,
) -> list[Trained]:
    """What `fit_each` gives, in the order of the jobs.

    Args:
        on_trained: called in this process with each as it is done.
    """
    done = {}
    with closing(fit_each(jobs, dataset, workers=workers, threads=threads, progress=progress)) as runs:
        for trained in runs:
            done[trained.job.name] = trained
            if on_trained is not None:
                on_trained(trained)
    return [done[job.name] for job in jobs]


def expected_s(
    model: nn.Module | Callable[[], nn.Module], dataset: Dataset, recipe: Recipe, *, fused: bool = True
) -> float:
    """Seconds that `fit` may take on a core of today, as a rule within a factor of three.

    Args:
        model: a function that builds one is taken for a small one that does not qualify for the native step.
    """
    n_batches = math.ceil(len(dataset.splits["train"]) / recipe.batch_size)
    if not isinstance(model, nn.Module):
        return recipe.epochs * n_batches * _AUTOGRAD_STEP_S
    return n_batches * sum(stage.n_epochs * _step_s(stage) for stage in stages(model, recipe, fused=fused))


def _step_s(stage: Stage) -> float:
    n_macs = 3 * stage.recipe.batch_size * sum(parameter.numel() for parameter in stage.parameters)
    overhead_s = _FUSED_STEP_S if stage.fused else _AUTOGRAD_STEP_S
    return overhead_s * len(stage.modules) + n_macs / _MACS_PER_S


def _trained(
    jobs: Sequence[Job], runs: Generator[tuple[int, tuple[nn.Module, History]], None, None]
) -> Generator[Trained, None, None]:
    with closing(runs):
        for index, (model, history) in runs:
            yield Trained(jobs[index], model, history)


def _fit(job: Job, samples: Samples, watch: Watch) -> tuple[nn.Module, History]:
    if isinstance(job.model, nn.Module):
        model = copy.deepcopy(job.model)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(job.seed)
            model = job.model()
    history = fit(
        model,
        samples,
        job.recipe,
        preprocessing=job.preprocessing,
        seed=job.seed,
        checkpoint=job.checkpoint,
        checkpoint_every_s=job.checkpoint_every_s,
        distillation=job.distillation,
        initialise=job.initialise,
        fused=job.fused,
        progress=watch,
    )
    return model, history
