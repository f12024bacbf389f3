"""Labelled raw samples with fixed splits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from offramp.errors import DataError

SplitName = Literal["train", "validation", "calibration", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "validation", "calibration", "test")

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Raw samples, their classes, and which of them are for what.

    `train` fits weights, `validation` chooses among trainings, `calibration` sets exit thresholds, `test` is
    for the figures that are reported.

    Args:
        name: for reports.
        x: (N, *shape), uint8 or finite float32, as the device will see them: not yet preprocessed.
        y: (N,) int64, positions in `classes`.
        classes: a name for each class.
        splits: for each of SPLITS the sample numbers; no sample is in two.
        full_scale: the largest value that raw uint8 samples can have.

    Raises:
        DataError: arrays that do not fit together.
    """

    name: str
    x: Array
    y: IntArray
    classes: tuple[str, ...]
    splits: Mapping[SplitName, IntArray]
    full_scale: int = 255

    def __post_init__(self) -> None:
        n = len(self.y)
        if self.y.shape != (n,) or len(self.x) != n or self.x.ndim < 2 or n == 0:
            raise DataError(
                f"{self.name}: x {self.x.shape} and y {self.y.shape} do not fit;"
                " give (N, *shape) and (N,), N > 0"
            )
        if self.x.dtype not in (np.uint8, np.float32) or self.y.dtype != np.int64:
            raise DataError(
                f"{self.name}: x is {self.x.dtype}, y is {self.y.dtype};"
                " give x as uint8 or float32 and y as int64"
            )
        if len(self.classes) < 2 or self.y.min() < 0 or self.y.max() >= len(self.classes):
            raise DataError(
                f"{self.name}: labels {self.y.min()}..{self.y.max()} for {len(self.classes)} classes;"
                " labels are positions in two classes or more"
            )
        if self.x.dtype == np.float32:
            self._check_finite()
        self._check_splits(n)

    def _check_finite(self) -> None:
        finite = np.isfinite(self.x)
        if not finite.all():
            where = np.argwhere(~finite)[0]
            raise DataError(
                f"{self.name}: sample {where[0]} holds {self.x[tuple(where)]};"
                " remove or repair samples with NaN or infinity"
            )

    def _check_splits(self, n: int) -> None:
        if set(self.splits) != set(SPLITS):
            raise DataError(f"{self.name}: splits {sorted(self.splits)}; give {', '.join(SPLITS)}")
        uses = np.zeros(n, np.int64)
        for split in SPLITS:
            index = self.splits[split]
            if index.ndim != 1 or index.dtype != np.int64 or len(index) == 0:
                raise DataError(
                    f"{self.name}: split {split} is {index.dtype} {index.shape};"
                    " give sample numbers, one or more"
                )
            if index.min() < 0 or index.max() >= n:
                raise DataError(
                    f"{self.name}: split {split} names samples outside 0..{n - 1}; use those only"
                )
            uses += np.bincount(index, minlength=n)
        if uses.max() > 1:
            raise DataError(
                f"{self.name}: sample {int(uses.argmax())} is used {uses.max()} times;"
                " splits must not overlap, or figures come from samples already seen"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one raw sample."""
        return self.x.shape[1:]

    def split(self, name: SplitName) -> tuple[Array, IntArray]:
        """Raw samples and labels of one split.

        Raises:
            DataError: no split has this name.
        """
        if name not in self.splits:
            raise DataError(f"no split is called {name!r}; use one of {', '.join(SPLITS)}")
        index = self.splits[name]
        return self.x[index], self.y[index]

    def digest(self, name: SplitName) -> str:
        """SHA-256 (hex) of one split's raw samples and labels, the same on every machine."""
        return samples_digest(*self.split(name))


def samples_digest(x: Array, y: IntArray | None) -> str:
    """SHA-256 (hex) of raw samples and their labels, where there are some, the same on every machine."""
    sha = hashlib.sha256(f"offramp split 1\n{x.dtype} {x.shape}\n".encode())
    for array in (x,) if y is None else (x, y):
        sha.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return sha.hexdigest()
