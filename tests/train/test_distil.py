"""Soft targets: what they are, what learns from them, and what a checkpoint of them is for."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.errors import ConfigError
from offramp.nn import MLP, split_midpoint
from offramp.train import RECIPES, Distillation, Job, Teacher, fit, fit_many, teacher_job

RECIPE = replace(RECIPES["cosine"], epochs=3, batch_size=16)
LABELS = np.array([2, 0, 1])


def _scores(n: int = 100, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)


def _model() -> nn.Module:
    return split_midpoint(MLP([16, 24, 24, 4], [6, 6, 4]))


def _bits(model: nn.Module) -> list[bytes]:
    return [value.numpy().tobytes() for value in model.state_dict().values()]


@given(
    weight=st.floats(0.01, 1),
    temperature=st.floats(0.1, 100),
    scores=st.lists(st.lists(st.floats(-50, 50, width=32), min_size=4, max_size=4), min_size=3, max_size=3),
)
def test_a_target_is_the_label_and_the_teachers_softmax_by_weight(
    weight: float, temperature: float, scores: list[list[float]]
) -> None:
    matrix = np.array(scores, np.float32)
    targets = Distillation(scores=matrix, weight=weight, temperature=temperature).targets(LABELS, n_classes=4)
    word = torch.softmax(torch.from_numpy(matrix).double() / temperature, dim=1).numpy()
    expected = (1 - weight) * np.eye(4)[LABELS] + weight * word
    np.testing.assert_allclose(targets, expected, atol=1e-6)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("fused", [True, False], ids=["native", "autograd"])
def test_the_loss_is_the_cross_entropy_of_tail_and_exit_with_the_targets(
    blobs: Dataset, preprocessing: Preprocessing, fused: bool
) -> None:
    distillation = Distillation(scores=_scores(), weight=0.7, temperature=3.0)
    model, recipe = _model(), replace(RECIPE, epochs=1, batch_size=100)
    raw, labels = blobs.split("train")
    targets = torch.from_numpy(distillation.targets(labels, n_classes=4))
    x = torch.from_numpy(preprocessing(raw))

    def loss(scores: torch.Tensor) -> float:
        return -(targets * torch.log_softmax(scores, dim=1)).sum(1).mean().item()

    with torch.no_grad():
        exit_scores, tail_scores = model(x)
    expected = loss(tail_scores) + recipe.exit_weight * loss(exit_scores)
    settings: Any = {"preprocessing": preprocessing, "initialise": False, "progress": False}
    history = fit(model, blobs, recipe, fused=fused, distillation=distillation, **settings)
    assert history.fused == fused
    assert history.epochs[0].train_loss == pytest.approx(expected, abs=1e-5)


def test_a_student_learns_what_its_teacher_says(blobs: Dataset, preprocessing: Preprocessing) -> None:
    _, labels = blobs.split("train")
    swapped = 20 * np.eye(4, dtype=np.float32)[labels ^ 1]  # a teacher that mistakes a for b and c for d
    model = _model()
    distillation = Distillation(scores=swapped, weight=1, temperature=1)
    recipe = replace(RECIPE, epochs=30)
    last = fit(model, blobs, recipe, preprocessing=preprocessing, distillation=distillation).epochs[-1]
    assert last.tail_accuracy < 0.1
    assert last.exit_accuracy is not None
    assert last.exit_accuracy < 0.2
    x, y = blobs.split("validation")
    _, tail = model(torch.from_numpy(preprocessing(x)))
    assert (tail.argmax(1).numpy() == y ^ 1).mean() > 0.9


def test_jobs_with_a_teacher_end_with_the_bits_of_fit(blobs: Dataset, preprocessing: Preprocessing) -> None:
    distillation = Distillation(scores=_scores())
    common: Any = {"preprocessing": preprocessing, "distillation": distillation}
    jobs = [Job(name=name, model=_model(), recipe=RECIPE, **common) for name in "ab"]
    model, plain = _model(), _model()
    fit(model, blobs, RECIPE, **common)
    fit(plain, blobs, RECIPE, preprocessing=preprocessing)
    assert _bits(model) != _bits(plain)
    for trained in fit_many(jobs, blobs, workers=2, progress=False):
        assert _bits(trained.model) == _bits(model)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Distillation(scores=_scores(seed=1)), "a run with teacher=[0-9a-f]+, this run has teacher=[0-9a-f]"),
        (Distillation(scores=_scores(), weight=0.9), "teacher_weight=0.5, this run has teacher_weight=0.9"),
        (Distillation(scores=_scores(), temperature=2), "temperature=4.0, this run has temperature=2;"),
        (None, "a run with teacher=[0-9a-f]+, this run has teacher=None; use another folder"),
    ],
    ids=["another teacher", "weight", "temperature", "none"],
)
def test_a_checkpoint_of_another_teacher_is_refused(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path, other: Distillation | None, words: str
) -> None:
    first = Distillation(scores=_scores())
    common: Any = {"preprocessing": preprocessing, "checkpoint": tmp_path}
    fit(_model(), blobs, RECIPE, distillation=first, **common)
    again = fit(_model(), blobs, RECIPE, distillation=Distillation(scores=_scores()), **common)
    assert len(again.epochs) == 3
    with pytest.raises(ConfigError, match=words):
        fit(_model(), blobs, RECIPE, distillation=other, **common)


def test_an_interrupted_student_ends_with_the_same_bits(
    blobs: Dataset, preprocessing: Preprocessing, tmp_path: Path
) -> None:
    def stop(epoch: Any) -> None:
        raise KeyboardInterrupt

    common: Any = {"preprocessing": preprocessing, "distillation": Distillation(scores=_scores())}
    whole, halved = _model(), _model()
    fit(whole, blobs, RECIPE, **common)
    with pytest.raises(KeyboardInterrupt):
        fit(_model(), blobs, RECIPE, checkpoint=tmp_path, progress=stop, **common)
    fit(halved, blobs, RECIPE, checkpoint=tmp_path, **common)
    assert _bits(halved) == _bits(whole)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"weight": 0.0}, "weight=0.0 of a teacher must be above 0 and at most 1, as in 0.5"),
        ({"weight": 1.5}, "weight=1.5 of a teacher"),
        ({"weight": math.nan}, "weight=nan of a teacher"),
        ({"temperature": 0.0}, "temperature=0.0 must be finite and above 0, as in 4"),
        ({"temperature": math.inf}, "temperature=inf must be finite"),
        (
            {"scores": np.zeros(3, np.float32)},
            r"a teacher's scores of shape \(3,\) must be a matrix of finit",
        ),
        ({"scores": np.full((2, 2), np.nan, np.float32)}, r"a teacher's scores of shape \(2, 2\) must be"),
    ],
    ids=["no weight", "too much", "nan", "cold", "too hot", "a vector", "not finite"],
)
def test_what_cannot_be_learnt_from_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Distillation(**{"scores": _scores(), **arguments})


def test_scores_of_other_samples_are_refused(blobs: Dataset, preprocessing: Preprocessing) -> None:
    words = r"the teacher's scores are \(99, 4\), the samples to train on need \(100, 4\); make them by Teach"
    with pytest.raises(ConfigError, match=words):
        fit(
            _model(),
            blobs,
            RECIPE,
            preprocessing=preprocessing,
            distillation=Distillation(scores=_scores(99)),
        )


# --- Teachers ---------------------------------------------------------------------------------------------


def test_a_teacher_speaks_of_the_samples_in_the_order_of_training(
    blobs: Dataset, preprocessing: Preprocessing
) -> None:
    teacher = Teacher(_model(), preprocessing)
    for recipe in (RECIPE, replace(RECIPE, train_on_everything=True)):
        raw = np.concatenate([blobs.split(name)[0] for name in recipe.splits])
        with torch.no_grad():
            _, tail = teacher.model(torch.from_numpy(preprocessing(raw)))
        scores = teacher.distillation(blobs, recipe, weight=0.3, temperature=2).scores
        np.testing.assert_allclose(scores, tail.numpy(), atol=1e-6)
        assert scores.dtype == np.float32
    several = split_midpoint(MLP([16, 24, 24, 4]), inner_exits={"tail-2": ()})
    scores = Teacher(several, preprocessing).scores(blobs, RECIPE)
    with torch.no_grad():
        tail = several(torch.from_numpy(preprocessing(blobs.split("train")[0])))[-1]
    np.testing.assert_allclose(scores, tail.numpy(), atol=1e-6)


def test_how_exits_are_trained_makes_no_other_teacher(blobs: Dataset) -> None:
    recipe = replace(RECIPE, exits="mixed", self_distillation=0.5)
    assert teacher_job(blobs, recipe).recipe == teacher_job(blobs, RECIPE).recipe


def test_the_default_teacher_is_large_dense_and_kept(blobs: Dataset, tmp_path: Path) -> None:
    job = teacher_job(blobs, RECIPE, checkpoint=tmp_path)
    assert isinstance(job.model, MLP)
    assert job.model.neurons == (16, 512, 256, 4)
    assert (job.recipe.epochs, job.recipe.learning_rate) == (20, RECIPE.learning_rate)
    (trained,) = fit_many([job], blobs, workers=1, progress=False)
    assert trained.history.epochs[-1].tail_accuracy > 0.95
    teachers = [Teacher(trained.model, job.preprocessing)]
    (again,) = fit_many([teacher_job(blobs, RECIPE, checkpoint=tmp_path)], blobs, workers=1, progress=False)
    assert again.history == trained.history
    teachers.append(Teacher(again.model, job.preprocessing))
    assert len({teacher.digest() for teacher in teachers}) == 1
    assert Teacher(_model(), job.preprocessing).digest() != teachers[0].digest()
