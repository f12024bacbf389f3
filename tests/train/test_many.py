"""Several models at once: the same bits as one after the other."""

import importlib
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.nn import MLP, split_midpoint
from offramp.train import RECIPES, History, Job, Trained, fit, fit_each, fit_many
from offramp.train.many import expected_s

RECIPE = replace(RECIPES["cosine"], epochs=3, batch_size=16)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that builds a model, in a module that workers find too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("works").net


@pytest.fixture
def jobs(preprocessing: Preprocessing, net: Any) -> Sequence[Job]:
    """Three seeds of one model by the native step, and a function's model by autograd."""
    sparse = split_midpoint(MLP([16, 24, 24, 4], [6, 6, 4]))
    common: Any = {"recipe": RECIPE, "preprocessing": preprocessing}
    seeds = [Job(name=f"seed {seed}", model=sparse, seed=seed, **common) for seed in range(3)]
    return [*seeds, Job(name="net", model=net, seed=5, **common)]


def _bits(model: nn.Module, history: History) -> Any:
    losses = [replace(epoch, seconds=0) for epoch in history.epochs]
    weights = {name: value.numpy().tobytes() for name, value in model.state_dict().items()}
    return history.fused, losses, weights


def _one_after_the_other(jobs: Sequence[Job], dataset: Dataset) -> list[Any]:
    """What `fit` makes of the jobs; each of them gives a model of its own."""
    results = []
    for job in jobs:
        (trained,) = fit_many([job], dataset, workers=1)
        results.append(_bits(trained.model, trained.history))
    return results


def test_workers_give_the_models_of_fit_bit_for_bit_in_the_order_of_the_jobs(
    blobs: Dataset, jobs: Sequence[Job]
) -> None:
    seen: list[str] = []
    trained = fit_many(jobs, blobs, workers=2, on_trained=lambda one: seen.append(one.job.name))
    assert [one.job for one in trained] == list(jobs)
    assert sorted(seen) == ["net", "seed 0", "seed 1", "seed 2"]
    for job, one in zip(jobs[:3], trained, strict=False):
        model = split_midpoint(MLP([16, 24, 24, 4], [6, 6, 4]))
        history = fit(model, blobs, RECIPE, preprocessing=job.preprocessing, seed=job.seed)
        assert _bits(one.model, one.history) == _bits(model, history)
    assert [_bits(one.model, one.history) for one in trained] == _one_after_the_other(jobs, blobs)
    assert [one.history.fused for one in trained] == [True, True, True, False]
    x, _ = blobs.split("test")
    scores = trained[3].model(torch.from_numpy(jobs[3].preprocessing(x)))
    assert scores.shape == (40, 4)


def test_the_jobs_own_model_stays_as_it_is(blobs: Dataset, jobs: Sequence[Job]) -> None:
    model = jobs[0].model
    assert isinstance(model, nn.Module)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = fit_many(jobs[:2], blobs, workers=1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not torch.equal(first.model.head[0].weight, second.model.head[0].weight)  # type: ignore[union-attr,index,arg-type]


def test_results_come_one_by_one_and_jobs_go_on_from_their_checkpoints(
    blobs: Dataset, jobs: Sequence[Job], tmp_path: Path
) -> None:
    kept = [replace(job, checkpoint=tmp_path / job.name) for job in jobs[:3]]
    with closing(fit_each(kept, blobs, workers=1)) as runs:
        first = next(runs)
    assert isinstance(first, Trained)
    assert first.job is kept[0]
    assert os.listdir(tmp_path) == ["seed 0"]
    untouched = (tmp_path / "seed 0" / "checkpoint.safetensors").stat().st_mtime_ns
    again = fit_many(kept, blobs, workers=1)
    assert (tmp_path / "seed 0" / "checkpoint.safetensors").stat().st_mtime_ns == untouched
    assert again[0].history == first.history
    whole = _one_after_the_other(jobs[:3], blobs)
    assert [_bits(one.model, one.history) for one in again] == whole


def test_an_error_names_its_job(blobs: Dataset, jobs: Sequence[Job]) -> None:
    narrow = replace(jobs[1], model=MLP([15, 4]), name="narrow")
    runs = fit_each([jobs[0], narrow], blobs, workers=1)
    assert next(runs).job is jobs[0]
    with pytest.raises(ConfigError, match=r"^narrow: the model does not take the 16 features"):
        next(runs)


def test_two_jobs_of_one_folder_are_refused(blobs: Dataset, jobs: Sequence[Job], tmp_path: Path) -> None:
    same = [replace(jobs[0], checkpoint=tmp_path), replace(jobs[1], checkpoint=tmp_path / "x" / "..")]
    with pytest.raises(ConfigError, match="two jobs have the same checkpoint folder; give each its own"):
        fit_each(same, blobs)


def test_a_larger_job_is_expected_to_take_longer(blobs: Dataset, jobs: Sequence[Job]) -> None:
    small = jobs[0]
    longer = [
        replace(small, recipe=replace(RECIPE, epochs=30)),
        replace(small, model=MLP([16, 2000, 4])),
        replace(small, fused=False),
        jobs[3],
    ]
    assert all(expected_s(job, blobs) > expected_s(small, blobs) for job in longer)
    assert np.isclose(expected_s(longer[0], blobs), 10 * expected_s(small, blobs))
