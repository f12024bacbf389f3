"""Sparse rows and their rivals trained, several at once; what is done is not done again."""

import shutil
import time
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset, preprocessing_for
from offramp.experiments.paper import PaperRow
from offramp.experiments.records import RecordFolder, RowRecord
from offramp.experiments.reproduce import check_rows_fit
from offramp.experiments.rivals.baselines import train_baseline
from offramp.experiments.rivals.contenders import Contender, contenders
from offramp.experiments.rivals.masked import step_macs
from offramp.nn import MLP
from offramp.train import Recipe, Watch, Work, evaluate, expected_s, fit, run_each

_DENSE_DETOUR = 1.5  # what pruning takes beside other baselines: half as many epochs more


class Rival(RowRecord, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contender, trained with one seed."""

    kind: str
    method: str
    pooling: int  # side of the windows that images are averaged over; 1 for none
    edges: tuple[int, ...]  # of each junction, counted after training
    training_macs: int  # multiply-adds of all steps, had only live edges been computed


class _Outcome(NamedTuple):
    edges: tuple[int, ...]
    accuracy: float
    train_s: float
    training_macs: int
    fused: bool


Key = tuple[Contender, int]  # and seed


def compare(
    rows: Sequence[PaperRow],
    seeds: Sequence[int],
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Generator[Rival, None, None]:
    """Train every contender of every row with every seed; give the runs as they are done, old ones first.

    The test split is read once for each network, after its last epoch. Patterns, first weights and the order
    of samples all derive from the seed, so methods can be compared seed by seed.

    Args:
        recipe: one that trains on everything but the test split, see `recipe_named`.
        folder: for the records and for checkpoints of what is not finished. Called again, structured and
            dense networks go on where they were; a baseline that was not finished begins anew.
        workers: as in `run_each`.

    Raises:
        ConfigError: dense rows, data that do not fit them; records of another recipe or of other data.
        and what `fit` and `run_each` raise.
    """
    keys = [(one, seed) for seed in seeds for row in rows for one in contenders(row)]
    check_rows_fit(dataset, rows)
    records = RecordFolder(folder / "runs", Rival)
    digest = dataset.digest("train") + dataset.digest("test")
    pending: list[Key] = []
    for key in keys:
        run = records.read(_name(key, recipe), _expected(key, recipe, digest))
        if run is None:
            pending.append(key)
        else:
            yield run
    if not pending:
        return
    checkpoints = folder / "checkpoints"
    works = [_work(key, recipe, checkpoints, dataset) for key in pending]
    with closing(run_each(works, dataset, workers=workers, progress=progress)) as outcomes:
        for index, outcome in outcomes:
            run = _record(pending[index], outcome, recipe, digest)
            records.write(works[index].name, run)
            shutil.rmtree(checkpoints / works[index].name, ignore_errors=True)
            yield run
    with suppress(OSError):  # not empty: other calls have unfinished runs there
        checkpoints.rmdir()


def _name(key: Key, recipe: Recipe) -> str:
    contender, seed = key
    return f"row{contender.row.number:02}-{recipe.name}-{contender.method}-seed{seed}"


def _expected(key: Key, recipe: Recipe, digest: str) -> dict[str, Any]:
    """What a record must say to be the one of this contender, recipe and seed."""
    contender, seed = key
    return {
        "row": contender.row.number,
        "kind": contender.kind,
        "method": contender.method,
        "neurons": contender.neurons,
        "out_degrees": contender.out_degrees,
        "recipe": recipe.to_dict(),
        "pattern": contender.pattern,
        "block": "x".join(map(str, contender.block or ())),
        "pooling": contender.pool,
        "seed": seed,
        "data_digest": digest,
    }


def _record(key: Key, outcome: _Outcome, recipe: Recipe, digest: str) -> Rival:
    contender, _ = key
    return Rival(
        **_expected(key, recipe, digest),
        parameters=sum(outcome.edges) + sum(contender.neurons[1:]),
        edges=outcome.edges,
        accuracy_percent=round(100 * outcome.accuracy, 4),
        train_s=outcome.train_s,
        training_macs=outcome.training_macs,
        fused=outcome.fused,
    )


def _work(key: Key, recipe: Recipe, checkpoints: Path, dataset: Dataset) -> Work[_Outcome]:
    contender, seed = key
    name = _name(key, recipe)
    if contender.kind == "baseline":
        seconds = expected_s(MLP(contender.neurons), dataset, recipe, fused=False)
        seconds *= _DENSE_DETOUR if contender.method == "pruned" else 1
        return Work(name, partial(_baseline, contender, recipe, seed), seconds)
    seconds = expected_s(contender.model(seed), dataset, recipe)
    return Work(name, partial(_product, contender, recipe, seed, checkpoints / name), seconds)


def _product(
    contender: Contender, recipe: Recipe, seed: int, checkpoint: Path, dataset: Dataset, watch: Watch
) -> _Outcome:
    """In a worker: a network as offramp trains it."""
    model = contender.model(seed)
    preprocessing = preprocessing_for(dataset, pool=contender.pool, pad_to=contender.neurons[0])
    history = fit(
        model,
        dataset,
        recipe,
        preprocessing=preprocessing,
        seed=seed,
        checkpoint=checkpoint,
        progress=watch,
    )
    edges = tuple(parameter.numel() for name, parameter in model.named_parameters() if "weight" in name)
    n_samples = sum(len(dataset.splits[split]) for split in recipe.splits)
    n_macs = recipe.epochs * n_samples * step_macs(edges)
    accuracy = _accuracy(model, preprocessing, dataset)
    return _Outcome(edges, accuracy, history.seconds, n_macs, history.fused)


def _baseline(contender: Contender, recipe: Recipe, seed: int, dataset: Dataset, watch: Watch) -> _Outcome:
    """In a worker: a network of masked dense weights."""
    preprocessing = preprocessing_for(dataset, pad_to=contender.neurons[0])
    raws, labels = zip(*(dataset.split(name) for name in recipe.splits), strict=True)
    x = torch.from_numpy(np.concatenate([preprocessing(raw) for raw in raws]))
    y = torch.from_numpy(np.concatenate(labels))
    started = time.monotonic()
    network = train_baseline(contender, x, y, recipe, seed=seed, watch=watch)
    train_s = time.monotonic() - started
    accuracy = _accuracy(network.model, preprocessing, dataset)
    return _Outcome(network.n_edges, accuracy, train_s, network.n_macs, fused=False)


def _accuracy(model: nn.Module, preprocessing: Preprocessing, dataset: Dataset) -> float:
    """Of the test split, in 0..1."""
    raw, labels = dataset.split("test")
    return evaluate(model, preprocessing(raw), labels).tail
