"""What an edge hands to the wire: requests for the tail, of samples or of coded features."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from offramp import wire
from offramp.bundle import Bundle
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
        bundle: with a part that tells how much is sent, unless whole samples are.
        raw: samples go to the model of the whole network; else features to that of the tail.
    """

    def __init__(self, bundle: Bundle, *, raw: bool) -> None:
        self._bundle = bundle
        self._raw = raw
        self._ids = itertools.count(1)
        self.model_name = bundle.name if raw else tail_model_name(bundle)
        preprocessing = bundle.preprocessing
        if raw:
            row_bytes = int(np.prod(preprocessing.shape)) * np.dtype(preprocessing.dtype).itemsize
        else:
            row_bytes = bundle.codec.max_bytes(bundle.n_sent)
        largest = max(row_bytes, 4 * len(bundle.classes))  # request and response
        self.max_rows = max(1, (MAX_MESSAGE_BYTES - _ENVELOPE_BYTES) // largest)

    def of(self, values: npt.NDArray[Any]) -> Offload:
        """One request for all rows.

        Args:
            values: raw samples (n, *shape) of the preprocessing's dtype, or features as they are sent, behind
                the encoder if there is one: (n, n_sent).
        """
        id = str(next(self._ids))
        return self._of_samples(values, id) if self._raw else self._of_rows(self._coded(values), values, id)

    def each(self, values: npt.NDArray[Any]) -> list[Offload]:
        """A request for each row, without an id; `wire.joined` makes one of several."""
        if self._raw:
            return [self._of_samples(value[None], "") for value in values]
        return [self._of_rows([row], values, "") for row in self._coded(values)]

    def _coded(self, features: npt.NDArray[Any]) -> list[bytes]:
        return self._bundle.codec.encode_rows(features)

    def _of_samples(self, raw: npt.NDArray[Any], id: str) -> Offload:
        request = wire.InferRequest(
            self.model_name,
            (wire.Tensor("sample", raw),),
            id=id,
            parameters={"head_digest": self._bundle.features_digest},
        )
        return Offload(request, [raw[0].nbytes] * len(raw))

    def _of_rows(self, rows: list[bytes], features: npt.NDArray[Any], id: str) -> Offload:
        request = wire.features_request(
            rows,
            n_features=features.shape[1],
            model_name=self.model_name,
            codec=self._bundle.codec,
            head_digest=self._bundle.features_digest,
            id=id,
        )
        return Offload(request, [len(row) for row in rows])
