"""Data sets by name or by file."""

from __future__ import annotations

import os
from pathlib import Path

from offramp.data.dataset import Dataset
from offramp.data.digits import load_digits
from offramp.data.mnist import load_mnist
from offramp.data.npz import load_npz
from offramp.data.tables import load_table
from offramp.errors import DataError

DATA_DIR_VARIABLE = "OFFRAMP_DATA_DIR"


def load(
    source: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    label: str | None = None,
    seed: int = 0,
) -> Dataset:
    """The data set `source`, with splits that only `seed` decides.

    Args:
        source: "digits" (comes with scikit-learn), "mnist", or a .npz, .csv or .parquet file.
        data_dir: for mnist, the folder with its four files or the one above it; by default the environment's
            OFFRAMP_DATA_DIR, and without that they are downloaded once.
        label: for .csv and .parquet, the name of the label column.
        seed: 0 or more.

    Raises:
        DataError: a source that is unknown, missing, damaged or not fit to train a classifier.
        MissingDependencyError: the extra `data` is not installed.
    """
    if seed < 0:
        raise DataError(f"seed={seed}; use 0 or more")
    path = Path(source)
    suffix = path.suffix.lower()
    table = suffix in (".csv", ".parquet")
    if label is not None and not table:
        raise DataError(f"label={label!r} with {source}; only .csv and .parquet files have a label column")
    if source == "digits":
        return load_digits(seed=seed)
    if source == "mnist":
        chosen = os.environ.get(DATA_DIR_VARIABLE) if data_dir is None else data_dir
        return load_mnist(Path(chosen) if chosen else None, seed=seed)
    if not table and suffix != ".npz":
        raise DataError(f"{source}: no known data set; use digits, mnist or a .npz, .csv or .parquet file")
    if not path.is_file():
        raise DataError(f"{path}: no such file; give digits, mnist or the path of an existing file")
    return load_table(path, label=label, seed=seed) if table else load_npz(path, seed=seed)
