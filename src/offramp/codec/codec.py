"""What a feature codec is."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Codec(Protocol):
    """Feature vectors to few bytes, and hostile bytes back to feature vectors.

    Codecs are values: two are the same when name and digest are.
    """

    @property
    def name(self) -> str:
        """One of CODECS."""

    @property
    def digest(self) -> str:
        """16 hex digits that name the fitted parameters; "" where there are none."""

    def parameters(self) -> dict[str, Any]:
        """What was fitted, as JSON values; `codec_from` makes the codec of them again."""

    def max_bytes(self, n_features: int) -> int:
        """The most that one coded vector ever takes.

        Raises:
            ConfigError: the codec was fitted to vectors of another width.
        """

    def encode_rows(self, features: npt.NDArray[np.float32]) -> list[bytes]:
        """The bytes of each of these vectors (n_rows, n_features).

        Raises:
            InputError: not rows of features of the codec's width, or not finite.
        """

    def decode_rows(self, rows: npt.NDArray[np.uint8], n_features: int) -> npt.NDArray[np.float32]:
        """The vectors (n_rows, n_features) in `rows` (n_rows, row_bytes), which may come from anybody.

        Rows that were shorter than others are padded with zero bytes, see `stacked`.

        Raises:
            WireError: bytes that this codec does not write.
        """


def stacked(rows: list[bytes]) -> npt.NDArray[np.uint8]:
    """Coded vectors as one array (n_rows, bytes of the longest), the shorter ones padded with zeros."""
    width = max(map(len, rows), default=0)
    return np.frombuffer(b"".join(row.ljust(width, b"\0") for row in rows), np.uint8).reshape(
        len(rows), width
    )


def arrived(codec: Codec, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The features (n_rows, n_features) as the other side reads them."""
    rows = codec.encode_rows(features)
    return codec.decode_rows(stacked(rows), features.shape[1]) if rows else features
