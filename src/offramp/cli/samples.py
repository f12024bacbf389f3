"""Samples as they come in: lines of JSON."""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from offramp.bundle import Preprocessing
from offramp.errors import DataError


class Sample(NamedTuple):
    """A raw sample; its number in the data set or its line, or its own name; its class if known."""

    id: int | str
    raw: npt.NDArray[Any]
    truth: str | None = None


class _Named(msgspec.Struct, forbid_unknown_fields=True):
    sample: Any
    id: str | int


def sample_from_line(line: bytes, number: int, preprocessing: Preprocessing) -> Sample:
    """The sample in a line of JSON: nested lists, or {"id": ..., "sample": nested lists}.

    Args:
        number: its id, where it has none of its own.

    Raises:
        DataError: as `sample_from_json`; an object of other fields.
    """
    if not line.lstrip().startswith(b"{"):
        return Sample(number, sample_from_json(line, preprocessing))
    try:
        named = msgspec.json.decode(line, type=_Named)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f'no sample with an id ({error}); give {{"id": ..., "sample": ...}}') from error
    return Sample(named.id, _sample(named.sample, preprocessing))


def sample_from_json(line: bytes, preprocessing: Preprocessing) -> npt.NDArray[Any]:
    """The raw sample in a line of JSON, in the type and shape that the network reads.

    Raises:
        DataError: no JSON, no numbers, or numbers of another range or shape.
    """
    try:
        values = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"no nested lists of numbers ({error}); give {_wanted(preprocessing)}") from error
    return _sample(values, preprocessing)


def _sample(nested: Any, preprocessing: Preprocessing) -> npt.NDArray[Any]:
    wanted = _wanted(preprocessing)
    try:
        values = np.asarray(nested)
    except ValueError as error:
        raise DataError(f"no nested lists of numbers ({error}); give {wanted}") from error
    kinds = "iu" if preprocessing.dtype == "uint8" else "iuf"
    if values.shape != preprocessing.shape or values.dtype.kind not in kinds:
        raise DataError(f"{values.dtype} {values.shape}; give {wanted} as nested lists")
    if preprocessing.dtype == "uint8" and (values.min() < 0 or values.max() > 255):
        raise DataError(f"values {values.min()}..{values.max()}; give {wanted}, so 0..255")
    with np.errstate(over="ignore"):  # an infinity is named below
        sample = values.astype(preprocessing.dtype)
    if not np.isfinite(sample).all():
        raise DataError(f"a value too large for float32; give {wanted}")
    return sample


def _wanted(preprocessing: Preprocessing) -> str:
    return f"{preprocessing.dtype} {preprocessing.shape}"
