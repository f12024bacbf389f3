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
from offramp.runtime.network import FloatArray

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
        self._ids = itertools.count(1)
        self.model_name = bundle.name if raw else tail_model_name(bundle)
        preprocessing = bundle.preprocessing
        if raw:
            row_bytes = int(np.prod(preprocessing.shape)) * np.dtype(preprocessing.dtype).itemsize
        else:
            row_bytes = bundle.codec.max_bytes(bundle.n_sent)
        largest = max(row_bytes, 4 * len(bundle.classes))  # request and response
        self.max_rows = max(1, (MAX_MESSAGE_BYTES - _ENVELOPE_BYTES) // largest)

    def of_samples(self, raw: npt.NDArray[Any]) -> Offload:
        """Raw samples (n, *shape), of the preprocessing's dtype."""
        request = wire.InferRequest(
            self.model_name,
            (wire.Tensor("sample", raw),),
            id=str(next(self._ids)),
            parameters={"head_digest": self._bundle.features_digest},
        )
        return Offload(request, [raw[0].nbytes] * len(raw))

    def of_features(self, features: FloatArray) -> Offload:
        """Features as they are sent, behind the encoder if there is one: (n, n_features)."""
        rows = self._bundle.codec.encode_rows(features)
        request = wire.features_request(
            rows,
            n_features=features.shape[1],
            model_name=self.model_name,
            codec=self._bundle.codec,
            head_digest=self._bundle.features_digest,
            id=str(next(self._ids)),
        )
        return Offload(request, [len(row) for row in rows])
