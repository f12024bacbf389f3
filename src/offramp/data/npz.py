"""One's own samples from a NumPy archive."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from offramp.data.dataset import SPLITS, Array, Dataset, IntArray, SplitName
from offramp.data.labels import encode_labels
from offramp.data.splits import stratified
from offramp.errors import DataError

# All that np.load and its zip reader raise for files that are truncated, altered or encrypted.
_DAMAGE = (
    *(ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error),
    *(NotImplementedError, RuntimeError, MemoryError, SyntaxError, UnicodeError),
)
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # of an archive with and without files


def load_npz(path: Path, *, seed: int) -> Dataset:
    """The data set in an archive with `x` (N, *shape), `y` (N,) and, if given, all splits by sample number.

    uint8 samples stay as they are, other real numbers become float32. Splits that are not given are made by
    class and seed.

    Raises:
        DataError: no archive, pickled objects in it, other arrays, or arrays that do not fit together.
    """
    arrays = _read(path)
    superfluous = sorted(set(arrays) - {"x", "y", *SPLITS})
    if not {"x", "y"} <= set(arrays) or superfluous:
        raise DataError(
            f"{path}: holds {', '.join(sorted(arrays)) or 'nothing'}; give x, y and, if you like, all of"
            f" {', '.join(SPLITS)}"
        )
    x = _samples(path, arrays["x"])
    y, classes = encode_labels(f"{path}: labels y", arrays["y"])
    if len(x) != len(y):
        raise DataError(f"{path}: {len(x)} samples in x and {len(y)} labels in y; give one label a sample")
    splits: dict[SplitName, IntArray] = {
        name: _index(path, name, arrays) for name in SPLITS if name in arrays
    }
    if splits and len(splits) < len(SPLITS):
        raise DataError(
            f"{path}: has the splits {', '.join(splits)}; give all of {', '.join(SPLITS)}, or none"
        )
    return Dataset(path.stem, x, y, classes, splits or stratified(y, classes, seed=seed))


def unlabelled(path: Path) -> Array | None:
    """The samples `x` (N, *shape) in an archive that has no labels; None for one that has, or another file.

    Raises:
        DataError: no archive, pickled objects in it, or no samples.
    """
    if path.suffix.lower() != ".npz" or not path.is_file():
        return None
    arrays = _read(path)
    if set(arrays) != {"x"}:
        return None
    x = _samples(path, arrays["x"])
    if len(x) == 0:
        raise DataError(f"{path}: x is {x.dtype} {x.shape}; give one sample or more")
    return x


def _read(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as stream:  # given a path, np.load would leave a broken file open
            if stream.read(4) in _ZIP_STARTS:  # else np.load would advise to unpickle it
                stream.seek(0)
                with np.load(stream, allow_pickle=False) as archive:
                    return dict(archive)
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path}: not a readable npz archive of plain arrays ({reason}); write it again with numpy.savez"
        ) from error
    raise DataError(f"{path}: no npz archive; write it with numpy.savez(path, x=..., y=...)")


def _samples(path: Path, x: Array) -> Array:
    if x.dtype.kind not in "uif" or x.ndim < 2:
        raise DataError(f"{path}: x is {x.dtype} {x.shape}; give (N, *shape) of uint8 or other real numbers")
    if x.dtype == np.uint8:
        return x
    with np.errstate(over="ignore"):  # becomes infinity, reported here
        samples = x.astype(np.float32)
    too_large = np.isinf(samples) & np.isfinite(x)
    if too_large.any():
        where = tuple(np.argwhere(too_large)[0])
        raise DataError(
            f"{path}: sample {where[0]} holds {x[where]}, too large for float32; repair or remove that sample"
        )
    return samples


def _index(path: Path, name: SplitName, arrays: dict[str, Array]) -> IntArray:
    index = arrays[name]
    if index.dtype.kind not in "iu":
        raise DataError(f"{path}: split {name} is {index.dtype}; give sample numbers, as integers")
    return index.astype(np.int64)
