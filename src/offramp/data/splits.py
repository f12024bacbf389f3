"""Splits by seed: the same samples for the same purpose, on every machine and NumPy version."""

from __future__ import annotations

import numpy as np

from offramp.data.dataset import IntArray, SplitName
from offramp.errors import DataError
from offramp.pattern.stream import Stream

MIN_PER_CLASS = 5  # one each for validation, calibration and test, two to train on


def stratified(y: IntArray, classes: tuple[str, ...], *, seed: int) -> dict[SplitName, IntArray]:
    """Of each class 10% to validate, 10% to calibrate, 20% to test (at least one each), the rest to train.

    Raises:
        DataError: a class has fewer than MIN_PER_CLASS samples.
    """
    order = Stream(seed).permutation(len(y))
    purpose = np.empty(len(y), dtype="<U11")
    for k, name in enumerate(classes):
        members = order[y[order] == k]
        m = len(members)
        if m < MIN_PER_CLASS:
            raise DataError(
                f"class {name!r} has {m} samples; four splits need at least {MIN_PER_CLASS}:"
                " add some, or remove the class"
            )
        n_tenth, n_fifth = max(1, m // 10), max(1, m // 5)
        purpose[members] = "train"
        purpose[members[:n_tenth]] = "validation"
        purpose[members[n_tenth : 2 * n_tenth]] = "calibration"
        purpose[members[2 * n_tenth : 2 * n_tenth + n_fifth]] = "test"
    # In permuted order, so that a file sorted by class does not become a stream sorted by class.
    return {split: order[purpose[order] == split] for split in ("train", "validation", "calibration", "test")}


def with_given_test(n_train: int, n_test: int, *, seed: int) -> dict[SplitName, IntArray]:
    """For data that comes with its own test samples, the last `n_test` ones: they are the test split.

    Of the others 1/12 each to validate and to calibrate, the rest to train: 5,000, 5,000 and 50,000 of MNIST.

    Raises:
        DataError: too few samples.
    """
    n_twelfth = n_train // 12
    if n_twelfth == 0 or n_test == 0:
        raise DataError(f"{n_train} training and {n_test} test samples; give 12 or more, and 1 or more")
    order = Stream(seed).permutation(n_train)
    return {
        "train": order[2 * n_twelfth :],
        "validation": order[:n_twelfth],
        "calibration": order[n_twelfth : 2 * n_twelfth],
        "test": np.arange(n_train, n_train + n_test, dtype=np.int64),
    }
