"""One's own samples from a CSV or Parquet table: a row a sample, one column the label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.data.dataset import Array, Dataset
from offramp.data.extra import load_extra
from offramp.data.labels import encode_labels
from offramp.data.splits import stratified
from offramp.errors import DataError


def load_table(path: Path, *, label: str | None, seed: int) -> Dataset:
    """The data set in a table: x (N, n_columns - 1) float32, columns in the file's order.

    Raises:
        DataError: no such table; a label column that is missing, constant or neither text nor integers; a
            feature that is not numeric, missing, NaN or infinite.
    """
    table, columns = _read(path)
    if label is None or label not in columns:
        asked = "no label column named" if label is None else f"no column {label!r}"
        raise DataError(f"{path}: {asked}; give label= one of {', '.join(map(repr, columns))}")
    if len(set(columns)) != len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise DataError(f"{path}: two columns are called {twice!r}; rename one")
    features = [name for name in columns if name != label]
    if not features or table.num_rows == 0:
        raise DataError(f"{path}: {len(features)} feature columns, {table.num_rows} rows; give some of each")
    y, classes = encode_labels(f"{path}: labels in column {label!r}", _labels(path, label, table[label]))
    x = np.stack([_feature(path, name, table[name]) for name in features], axis=1)
    return Dataset(path.stem, x, y, classes, stratified(y, classes, seed=seed))


def _read(path: Path) -> tuple[Any, list[str]]:
    """The table, validated, and the names of its columns."""
    purpose = f"reading {path.suffix} files"
    arrow = load_extra("pyarrow", purpose=purpose)
    try:
        if path.suffix.lower() == ".parquet":
            with load_extra("pyarrow.parquet", purpose=purpose).ParquetFile(path) as file:
                table = file.read()
        else:
            table = load_extra("pyarrow.csv", purpose=purpose).read_csv(path)
        table.validate(full=True)
        return table, list(table.column_names)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: not a readable {path.suffix} table ({reason}); write it again") from error


def _labels(path: Path, name: str, column: Any) -> npt.NDArray[Any]:
    types = load_extra("pyarrow.types", purpose="reading tables")
    _check_complete(path, name, column)
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_string(column.type) or types.is_large_string(column.type):
        return np.asarray(column.to_pylist(), dtype=np.str_)
    if types.is_integer(column.type) or types.is_boolean(column.type):
        return np.asarray(column.to_numpy())
    raise DataError(f"{path}: label column {name!r} is {column.type}; labels are integers or text")


def _feature(path: Path, name: str, column: Any) -> Array:
    types = load_extra("pyarrow.types", purpose="reading tables")
    if not (types.is_integer(column.type) or types.is_floating(column.type) or types.is_boolean(column.type)):
        raise DataError(
            f"{path}: feature column {name!r} is {column.type}, not numeric;"
            " turn it into numbers, or remove it"
        )
    _check_complete(path, name, column)
    held = column.to_numpy()
    with np.errstate(over="ignore"):  # becomes infinity, reported here
        values: Array = held.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argmin(finite))
        why = ", too large for float32" if np.isfinite(held[row]) else ""
        raise DataError(
            f"{path}: column {name!r} holds {held[row]} in row {row + 1}{why}; repair or remove that row"
        )
    return values


def _check_complete(path: Path, name: str, column: Any) -> None:
    if column.null_count:
        row = column.is_null().to_numpy().argmax() + 1
        raise DataError(
            f"{path}: column {name!r} has no value in {column.null_count} rows, first in row {row};"
            " fill them in or remove them"
        )
