"""Digests by which damage on the way is found, at both ends and over the whole way.

TCP's sum of 16 bits lets one damaged segment in 65,536 through, and sees nothing of a faulty proxy. A digest
of 64 bits lets one in 2**64 through, whatever was altered. Nobody is kept from forging it: that takes TLS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from offramp.errors import WireError
from offramp.wire.infer import InferRequest, InferResponse
from offramp.wire.tensors import Tensor

_CHECK = "check"


def checked_request(request: InferRequest) -> InferRequest:
    """The request with its check among its parameters."""
    return replace(request, parameters={**request.parameters, _CHECK: _of_request(request)})


def verify_request(request: InferRequest) -> None:
    """Nothing, for a request that arrived as it was sent, or whose sender gave no check.

    Raises:
        WireError: it was altered.
    """
    if request.parameters.get(_CHECK, found := _of_request(request)) != found:
        raise WireError("a request that was damaged on its way: its check is another; send it again")


def checked_response(response: InferResponse, request: InferRequest) -> InferResponse:
    """The response with its check among its parameters.

    It is one of the request too, as that arrived: so it finds damage which took the request's own check away.

    Args:
        request: as it arrived, and verified.
    """
    return replace(response, parameters={**response.parameters, _CHECK: _of_response(response, request)})


def verify_response(response: InferResponse, request: InferRequest) -> bool:
    """Whether a response carries a check, which then is right.

    Args:
        request: as it was sent.

    Raises:
        WireError: request or response was altered.
    """
    if _CHECK not in response.parameters:
        return False
    if response.parameters[_CHECK] != _of_response(response, request):
        raise WireError("an answer damaged on its way, or to a request that was: its check is another")
    return True


def _of_request(request: InferRequest) -> str:
    return _digest(f"{request.id}\0{request.model_name}\0", request.inputs)


def _of_response(response: InferResponse, request: InferRequest) -> str:
    return _digest(str(request.parameters.get(_CHECK) or _of_request(request)), response.outputs)


def _digest(text: str, tensors: Sequence[Tensor]) -> str:
    hashed = hashlib.sha256(text.encode())
    for tensor in tensors:
        hashed.update(tensor.raw())
    return hashed.hexdigest()[:16]
