"""Trained networks as records: one JSON file for each, so that what is done stays done."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from offramp.errors import ConfigError, DataError


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network trained with one seed."""

    neurons: tuple[int, ...]
    out_degrees: tuple[int, ...]
    recipe: dict[str, Any]
    pattern: str  # "full" for dense networks
    block: str  # wanted, as in "4x4"; empty for none
    seed: int
    data_digest: str
    parameters: int
    accuracy_percent: float  # on the test split, read once
    train_s: float
    fused: bool


class RowRecord(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that is trained for a row of the paper."""

    row: int


R = TypeVar("R", bound=Record)


class RecordFolder(Generic[R]):
    """The records of a folder, one file for each; a file is there whole or not at all."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        self.path, self._kind = path, kind

    def write(self, name: str, record: R) -> None:
        """Keep a record."""
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = self.path / f"{name}.json.tmp"
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=0) + b"\n")
        os.replace(temporary, self.path / f"{name}.json")

    def read(self, name: str, expected: Mapping[str, Any]) -> R | None:
        """The record of this name, or None.

        Args:
            expected: fields by which it is known for what was asked.

        Raises:
            ConfigError: it is of another run.
            DataError: it is damaged.
        """
        path = self.path / f"{name}.json"
        if not path.is_file():
            return None
        try:
            record = msgspec.json.decode(path.read_bytes(), type=self._kind)
        except msgspec.DecodeError as error:
            raise DataError(
                f"{path}: is no record of a run: {error}; delete it, and it is made again"
            ) from error
        for field, value in expected.items():
            if getattr(record, field) != value:
                raise ConfigError(
                    f"{path}: is of a run with another {field} than {_short(value)};"
                    " give another output folder, or delete this one"
                )
        return record


def spaced(numbers: tuple[int, ...]) -> str:
    """As the CSV files have widths and degrees: "800 40 10"."""
    return " ".join(map(str, numbers))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
