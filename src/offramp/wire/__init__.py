"""The Open Inference Protocol v2 as values: bytes in, meaning out. Everything that comes in is hostile."""

from offramp.wire.check import checked_request, checked_response, verify_request, verify_response
from offramp.wire.features import (
    features_request,
    goes_with,
    joined,
    read_features,
    read_samples,
    read_scores,
)
from offramp.wire.infer import InferRequest, InferResponse
from offramp.wire.parameters import Parameter
from offramp.wire.report import (
    FLEET_SERVICE,
    LATENCY_BOUNDS_S,
    MAX_ERROR_CHARACTERS,
    MAX_EXITS,
    MAX_REPORT_BYTES,
    NAME_PATTERN,
    EdgeReport,
)
from offramp.wire.server import (
    ModelMetadata,
    ModelQuery,
    ServerMetadata,
    TensorSpec,
    live_response,
    read_ready,
    ready_response,
)
from offramp.wire.stream import stream_error, stream_response
from offramp.wire.tensors import Tensor

SERVICE = "inference.GRPCInferenceService"

__all__ = [
    "FLEET_SERVICE",
    "LATENCY_BOUNDS_S",
    "MAX_ERROR_CHARACTERS",
    "MAX_EXITS",
    "MAX_REPORT_BYTES",
    "NAME_PATTERN",
    "SERVICE",
    "EdgeReport",
    "InferRequest",
    "InferResponse",
    "ModelMetadata",
    "ModelQuery",
    "Parameter",
    "ServerMetadata",
    "Tensor",
    "TensorSpec",
    "checked_request",
    "checked_response",
    "features_request",
    "goes_with",
    "joined",
    "live_response",
    "read_features",
    "read_ready",
    "read_samples",
    "read_scores",
    "ready_response",
    "stream_error",
    "stream_response",
    "verify_request",
    "verify_response",
]
