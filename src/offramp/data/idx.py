"""idx files, gzipped or not: MNIST's format.

Big-endian: two zero bytes, a type byte (8: uint8), the number of dimensions, each as uint32, then the values.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from offramp.errors import DataError

_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: Path, *, n_dimensions: int) -> npt.NDArray[np.uint8]:
    """The uint8 array in an idx file with this many dimensions.

    Raises:
        DataError: no such file, not idx, another type or number of dimensions, wrong length, broken gzip.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            with gzip.open(raw) if zipped else raw as stream:
                return _parse(path, stream, n_dimensions)  # type: ignore[arg-type]  # GzipFile reads bytes too
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: broken gzip ({error}); download or copy the file again") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give a folder with the data set's files") from error


def _parse(path: Path, stream: BinaryIO, n_dimensions: int) -> npt.NDArray[np.uint8]:
    head = stream.read(4)
    wanted = bytes([0, 0, 8, n_dimensions])
    if head != wanted:
        raise DataError(
            f"{path}: starts with {head.hex() or 'nothing'};"
            f" an idx file of {n_dimensions}-dimensional bytes starts with {wanted.hex()}"
        )
    sides = stream.read(4 * n_dimensions)
    if len(sides) < 4 * n_dimensions:
        raise DataError(f"{path}: ends within its header; download or copy the file again")
    shape = struct.unpack(f">{n_dimensions}I", sides)
    size = math.prod(shape)
    if size == 0:
        raise DataError(f"{path}: an array of shape {shape}; a data set needs at least one value")
    content = _read_at_most(stream, size + 1)
    if len(content) != size:
        found = f"{len(content)}" if len(content) < size else "more"
        raise DataError(
            f"{path}: shape {shape} needs {size} bytes, found {found}; download or copy the file again"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_at_most(stream: BinaryIO, limit: int) -> bytes:
    """Up to `limit` bytes, in pieces: a header may claim more than there is memory."""
    pieces = []
    while piece := stream.read(min(limit, 1 << 24)):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)
