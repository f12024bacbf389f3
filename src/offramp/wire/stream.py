"""What a server says in Triton's ModelStreamInfer: responses and errors, one after the other."""

from __future__ import annotations

from offramp.errors import WireError
from offramp.wire import open_inference_pb2 as oip
from offramp.wire.messages import parse, serialize


def stream_response(response: bytes) -> bytes:
    """The answer that carries a response of ModelInfer."""
    message = oip.ModelStreamInferResponse()
    message.infer_response.MergeFromString(response)
    return serialize(message)


def stream_error(text: str, request: bytes) -> bytes:
    """The answer to a request that failed, with its id and model where they can be read."""
    message = oip.ModelStreamInferResponse(error_message=text)
    message.infer_response.SetInParent()
    try:
        asked = parse(oip.ModelInferRequest, request)
    except WireError:  # which is what `text` says
        return serialize(message)
    message.infer_response.id, message.infer_response.model_name = asked.id, asked.model_name
    return serialize(message)
