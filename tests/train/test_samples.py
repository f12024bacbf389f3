"""Preprocessed samples: what is in them, what is kept, what travels."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from offramp.bundle import Preprocessing
from offramp.data import Dataset
from offramp.nn import MLP
from offramp.train import RECIPES, Job, Samples, fit, fit_many

EVERYTHING: Any = ("train", "validation", "calibration")


def test_splits_follow_one_another(blobs: Dataset, preprocessing: Preprocessing) -> None:
    x, y = Samples(blobs).of(EVERYTHING, preprocessing)
    raws, labels = zip(*(blobs.split(name) for name in EVERYTHING), strict=True)
    np.testing.assert_array_equal(x.numpy(), preprocessing(np.concatenate(raws)))
    np.testing.assert_array_equal(y.numpy(), np.concatenate(labels))


def test_what_fits_is_made_once_and_the_longest_unused_goes_first(
    blobs: Dataset, preprocessing: Preprocessing
) -> None:
    samples = Samples(blobs, keep_bytes=2 * 100 * 20 * 4)
    one, two, three = (Preprocessing((4, 4), "uint8", pad_to=width) for width in (18, 19, 20))
    first, second = samples.of(("train",), one), samples.of(("train",), two)
    assert samples.of(("train",), one)[0] is first[0]
    samples.of(("train",), three)  # no room for all
    assert samples.of(("train",), one)[0] is first[0]
    again = samples.of(("train",), two)
    assert again[0] is not second[0]
    assert torch.equal(again[0], second[0])


def test_without_room_nothing_is_kept(blobs: Dataset, preprocessing: Preprocessing) -> None:
    samples = Samples(blobs)
    assert samples.of(("train",), preprocessing)[0] is not samples.of(("train",), preprocessing)[0]


def test_only_the_data_set_travels(blobs: Dataset, preprocessing: Preprocessing) -> None:
    samples = Samples(blobs, keep_bytes=2**20)
    before = len(pickle.dumps(samples))
    samples.of(EVERYTHING, preprocessing)
    assert len(pickle.dumps(samples)) == before
    copy = pickle.loads(pickle.dumps(samples))
    assert torch.equal(copy.of(EVERYTHING, preprocessing)[0], samples.of(EVERYTHING, preprocessing)[0])


def test_fit_takes_samples_for_a_data_set(blobs: Dataset, preprocessing: Preprocessing) -> None:
    recipe = replace(RECIPES["cosine"], epochs=2)
    losses = [
        fit(MLP([16, 8, 4]), data, recipe, preprocessing=preprocessing).epochs[-1].train_loss
        for data in (blobs, Samples(blobs))
    ]
    assert losses[0] == losses[1]


def test_jobs_of_one_worker_share_their_samples(
    blobs: Dataset, preprocessing: Preprocessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = Samples._made
    monkeypatch.setattr(Samples, "_made", lambda *arguments: made.append(arguments) or make(*arguments))
    recipe = replace(RECIPES["cosine"], epochs=1)
    jobs = [
        Job(name=name, model=MLP([16, 8, 4]), recipe=recipe, preprocessing=preprocessing) for name in "abc"
    ]
    fit_many(jobs, blobs, workers=1)
    assert [splits for _, splits, _ in made] == [("train",), ("validation",)]
