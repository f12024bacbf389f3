"""What an edge hands to the wire: requests for the tail, of samples or of features, coded or plain."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.bundle import Bundle, Terms
from offramp.runtime.client import MAX_MESSAGE_BYTES
from offramp.runtime.models import tail_model_name

_ENVELOPE_BYTES = 1024  # names, parameters and framing around the rows of a message


class Offload(NamedTuple):
    """A request, and how many bytes of each sample are in it, padding not counted."""

    request: wire.InferRequest
    payload_bytes: list[int]


class Offloads:
    """Makes requests, each with an id of its own. May be called from several threads.

    Args:
        bundle: with a part that tells how much is sent, unless whole samples are; or its terms.
        raw: samples go to the model of the whole network; else features to that of the tail.
        plain: features go as they are, FP32, instead of coded.
    """

    def __init__(self, bundle: Bundle | Terms, *, raw: bool, plain: bool = False) -> None:
        self._bundle = bundle
        self._codec = None if raw or plain else bundle.codec
        self._tensor_name = "sample" if raw else "features"
        self._ids = itertools.count(1)
        self.model_name = bundle.name if raw else tail_model_name(bundle)
        preprocessing = bundle.preprocessing
        self._n_sent = 0 if raw else bundle.n_sent
        if raw:
            row_bytes = int(np.prod(preprocessing.shape)) * np.dtype(preprocessing.dtype).itemsize
        elif self._codec is None:
            row_bytes = 4 * self._n_sent
        else:
            row_bytes = self._codec.max_bytes(self._n_sent)
        largest = max(row_bytes, 4 * len(bundle.classes))  # request and response
        self.max_rows = max(1, (MAX_MESSAGE_BYTES - _ENVELOPE_BYTES) // largest)

    def of(self, values: npt.NDArray[Any]) -> Offload:
        """One request for all rows.

        Args:
            values: raw samples (n, *shape) of the preprocessing's dtype, or features as they are sent, behind
                the encoder if there is one: (n, n_sent).
        """
        if self._codec is None:
            return self._of_values(values, self._next_id())
        return self.of_rows(self._codec.encode_rows(values))

    def of_rows(self, rows: Sequence[bytes]) -> Offload:
        """One request for rows that are coded already, by the bundle's codec."""
        return self._of_rows(rows, self._next_id())

    def each(self, values: npt.NDArray[Any]) -> list[Offload]:
        """A request for each row, without an id; `wire.joined` makes one of several."""
        if self._codec is None:
            return [self._of_values(value[None], "") for value in values]
        return [self._of_rows([row], "") for row in self._codec.encode_rows(values)]

    def _next_id(self) -> str:
        return str(next(self._ids))

    def _of_values(self, values: npt.NDArray[Any], id: str) -> Offload:
        request = wire.InferRequest(
            self.model_name,
            (wire.Tensor(self._tensor_name, values),),
            id=id,
            parameters={"head_digest": self._bundle.features_digest},
        )
        return Offload(request, [values[0].nbytes] * len(values))

    def _of_rows(self, rows: Sequence[bytes], id: str) -> Offload:
        request = wire.features_request(
            rows,
            n_features=self._n_sent,
            model_name=self.model_name,
            codec=self._bundle.codec,
            head_digest=self._bundle.features_digest,
            id=id,
        )
        return Offload(request, [len(row) for row in rows])
