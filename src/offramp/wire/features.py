"""What offramp puts into the protocol's messages: coded features, raw samples, scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from offramp import codec as codecs
from offramp.errors import WireError
from offramp.wire.infer import InferRequest, InferResponse
from offramp.wire.tensors import Array, Tensor


def features_request(
    features: npt.NDArray[np.float32], *, model_name: str, codec: str, head_digest: str, id: str = ""
) -> InferRequest:
    """The request that offloads features (batch, n_features) in coded form.

    One UINT8 tensor, a row of coded bytes for each sample; its parameters say how to read a row, and which
    head made it.

    Raises:
        InputError: features that the codec refuses.
    """
    rows = codecs.encode_rows(features, codec)
    parameters = {
        "codec": codec,
        "shape": str(features.shape[1]),
        "dtype": "float32",
        "head_digest": head_digest,
    }
    return InferRequest(
        model_name=model_name, id=id, parameters=parameters, inputs=(Tensor("features", rows),)
    )


def read_features(request: InferRequest, *, n_features: int) -> npt.NDArray[np.float32]:
    """The features (batch, n_features) of a request, coded as UINT8 or plain as FP32.

    Whose head they come from is not judged here: that is the parameter `head_digest`.

    Raises:
        WireError: anything else than one tensor of such features.
    """
    tensor = _only(request.inputs, "inputs")
    if tensor.array.dtype == np.uint8:
        return _decoded(tensor, request, n_features)
    _check_shape(tensor, (n_features,))
    return tensor.array.astype(np.float32, copy=False)


def read_samples(request: InferRequest, *, datatype: str, shape: tuple[int, ...]) -> Array:
    """The raw samples (batch, *shape) of a request.

    Raises:
        WireError: anything else than one tensor of such samples.
    """
    tensor = _only(request.inputs, "inputs")
    if tensor.datatype != datatype:
        raise WireError(f"tensor {tensor.name!r} is {tensor.datatype}; this model reads {datatype}")
    _check_shape(tensor, shape)
    return tensor.array


def read_scores(response: InferResponse, *, id: str, n_rows: int, n_classes: int) -> npt.NDArray[np.float32]:
    """The scores (n_rows, n_classes) of a response to the request `id`.

    Raises:
        WireError: an answer to another request, or anything else than one FP32 tensor of that shape.
    """
    if response.id != id:
        raise WireError(f"an answer to request {response.id!r}; request {id!r} was asked")
    tensor = _only(response.outputs, "outputs")
    if tensor.datatype != "FP32" or tensor.array.shape != (n_rows, n_classes):
        raise WireError(
            f"tensor {tensor.name!r} is {tensor.datatype} {tensor.array.shape};"
            f" scores are FP32 {(n_rows, n_classes)}"
        )
    return tensor.array.astype(np.float32, copy=False)


def _decoded(tensor: Tensor, request: InferRequest, n_features: int) -> npt.NDArray[np.float32]:
    for name in ("codec", "shape", "dtype", "head_digest"):
        if name not in request.parameters:
            raise WireError(f"UINT8 features without the request parameter {name!r}; send it, or send FP32")
    codec = str(request.parameters["codec"])
    if codec not in codecs.CODECS:
        raise WireError(f"unknown codec {codec!r}; use one of {', '.join(codecs.CODECS)}")
    declared = (request.parameters["dtype"], request.parameters["shape"])
    if declared != ("float32", str(n_features)):
        raise WireError(
            f"features of dtype {declared[0]!r} and shape {declared[1]!r};"
            f" this model reads 'float32' and '{n_features}'"
        )
    _check_shape(tensor, (codecs.encoded_size(codec, n_features),))
    return codecs.decode_rows(tensor.array.view(np.uint8), codec, n_features)


def _only(tensors: Sequence[Tensor], what: str) -> Tensor:
    if len(tensors) != 1:
        raise WireError(f"{len(tensors)} {what}; there must be exactly one")
    return tensors[0]


def _check_shape(tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tensor.array.shape[1:] != shape:
        wanted = ", ".join(str(size) for size in (-1, *shape))
        raise WireError(f"tensor {tensor.name!r} has shape {tensor.array.shape}; this model reads [{wanted}]")
