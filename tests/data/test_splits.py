import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.data.splits import MIN_PER_CLASS, stratified, with_given_test
from offramp.errors import DataError


def test_splits_are_the_same_on_every_machine_and_numpy_version():
    splits = with_given_test(60_000, 1, seed=7)
    order = np.concatenate([splits[name] for name in ("validation", "calibration", "train")])
    digest = hashlib.sha256(order.astype("<i8").tobytes()).hexdigest()
    assert digest == "a1fe655b9e361b2ee24608933a606be533b1b48d1416f662dd166ca4b68ec4d6"


@given(counts=st.lists(st.integers(MIN_PER_CLASS, 60), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_stratified_splits_share_every_class_and_no_sample(counts, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    splits = stratified(y, tuple(map(str, range(len(counts)))), seed=seed)
    assert sorted(np.concatenate(list(splits.values()))) == list(range(len(y)))
    for k, m in enumerate(counts):
        parts = {name: int((y[index] == k).sum()) for name, index in splits.items()}
        assert parts["validation"] == parts["calibration"] == max(1, m // 10)
        assert parts["test"] == max(1, m // 5)
        assert parts["train"] >= 2
    again = stratified(y, tuple(map(str, range(len(counts)))), seed=seed)
    assert all((splits[name] == again[name]).all() for name in splits)


def test_another_seed_gives_other_splits():
    y = np.arange(200) % 2
    assert (stratified(y, ("a", "b"), seed=0)["test"] != stratified(y, ("a", "b"), seed=1)["test"]).any()


def test_a_file_sorted_by_class_does_not_become_a_stream_sorted_by_class():
    y = np.repeat(np.arange(2), 500)
    test = y[stratified(y, ("a", "b"), seed=0)["test"]]
    assert 60 < np.abs(np.diff(test)).sum() < 140  # changes of class, of 199 neighbours


def test_a_class_with_too_few_samples_is_named():
    y = np.array([0] * 9 + [1] * 4)
    with pytest.raises(DataError, match="class 'rare' has 4 samples; four splits need at least 5"):
        stratified(y, ("common", "rare"), seed=0)


def test_given_test_samples_stay_the_test_split_in_order():
    splits = with_given_test(60_000, 10_000, seed=0)
    assert splits["test"].tolist() == list(range(60_000, 70_000))
    assert {name: len(index) for name, index in splits.items()} == {
        "train": 50_000,
        "validation": 5_000,
        "calibration": 5_000,
        "test": 10_000,
    }
    others = np.concatenate([splits[name] for name in ("train", "validation", "calibration")])
    assert sorted(others) == list(range(60_000))


@pytest.mark.parametrize(("n_train", "n_test"), [(11, 5), (12, 0)])
def test_too_few_samples_for_four_splits_are_refused(n_train, n_test):
    with pytest.raises(DataError, match=f"{n_train} training and {n_test} test samples; give 12 or more"):
        with_given_test(n_train, n_test, seed=0)
