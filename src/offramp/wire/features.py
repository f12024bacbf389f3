"""What offramp puts into the protocol's messages: coded features, raw samples, scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp import codec as codecs
from offramp.codec import Codec, FloatCodec
from offramp.errors import WireError
from offramp.wire.infer import InferRequest, InferResponse
from offramp.wire.tensors import Array, Tensor

MAX_DECODED_BYTES = 16 << 20
"""The most that the rows of one request may take as float32."""

_FLOATS = (FloatCodec("float32"), FloatCodec("float16"))
_PLAIN = _FLOATS[0]


def features_request(
    rows: Sequence[bytes], *, n_features: int, model_name: str, codec: Codec, head_digest: str, id: str = ""
) -> InferRequest:
    """The request that offloads coded features.

    One UINT8 tensor, a row of bytes for each sample, padded with zeros to the longest; its parameters say how
    to read a row, and which head made it.

    Args:
        rows: as `codec.encode_rows` made them.
        n_features: of one vector.
    """
    parameters = {
        "codec": codec.name,
        "shape": str(n_features),
        "dtype": "float32",
        "head_digest": head_digest,
    }
    if codec.digest:
        parameters["codec_digest"] = codec.digest
    tensor = Tensor("features", codecs.stacked(list(rows)))
    return InferRequest(model_name=model_name, id=id, parameters=parameters, inputs=(tensor,))


def joined(requests: Sequence[InferRequest], *, id: str) -> InferRequest:
    """One request for the rows of several, in their order, which ask one model in one way.

    Args:
        requests: each of one tensor; they differ in ids and rows only, and coded rows in their length.

    Raises:
        WireError: they do not go together, see `goes_with`.
    """
    first, *others = requests
    if strangers := [other for other in others if not goes_with(first, other)]:
        raise WireError(f"requests {first.id!r} and {strangers[0].id!r} do not go together")
    if not others:
        return replace(first, id=id)
    arrays: list[npt.NDArray[Any]] = [request.inputs[0].array for request in requests]
    if arrays[0].ndim == 2:  # coded rows may differ in length, see `codec.stacked`
        width = max(array.shape[1] for array in arrays)
        arrays = [np.pad(array, ((0, 0), (0, width - array.shape[1]))) for array in arrays]
    return replace(first, id=id, inputs=(replace(first.inputs[0], array=np.concatenate(arrays)),))


def goes_with(one: InferRequest, other: InferRequest) -> bool:
    """Whether the rows of both may come in one request: another's head, codec or model keeps them apart."""
    if len(one.inputs) != 1 or len(other.inputs) != 1:
        return False
    return _kind(one) == _kind(other)


def _kind(request: InferRequest) -> tuple[object, ...]:
    """All but the rows. Samples of another shape are of another kind, coded rows of another length not."""
    tensor = request.inputs[0]
    coded = tensor.array.ndim == 2 and "codec" in request.parameters
    return (
        request.model_name,
        request.model_version,
        request.outputs,
        dict(request.parameters),
        tensor.name,
        tensor.datatype,
        None if coded else tensor.array.shape[1:],
    )


def read_features(
    request: InferRequest, *, n_features: int, codec: Codec = _PLAIN
) -> npt.NDArray[np.float32]:
    """The features (batch, n_features) of a request, coded as UINT8 or plain as FP32.

    Whose head they come from is not judged here: that is the parameter `head_digest`.

    Args:
        codec: the reader's own; features as float32 and float16 are read too.

    Raises:
        WireError: anything else than one tensor of such features.
    """
    tensor = _only(request.inputs, "inputs")
    if tensor.array.dtype == np.uint8:
        return _decoded(tensor, request, n_features, codec)
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


def _decoded(tensor: Tensor, request: InferRequest, n_features: int, own: Codec) -> npt.NDArray[np.float32]:
    for name in ("codec", "shape", "dtype", "head_digest"):
        if name not in request.parameters:
            raise WireError(f"UINT8 features without the request parameter {name!r}; send it, or send FP32")
    declared = (request.parameters["dtype"], request.parameters["shape"])
    if declared != ("float32", str(n_features)):
        raise WireError(
            f"features of dtype {declared[0]!r} and shape {declared[1]!r};"
            f" this model reads 'float32' and '{n_features}'"
        )
    codec = _codec_of(request, own)
    limit = codec.max_bytes(n_features)
    if tensor.array.ndim != 2 or tensor.array.shape[1] > limit:
        raise WireError(
            f"tensor {tensor.name!r} has shape {tensor.array.shape}; {n_features} features as {codec.name}"
            f" are rows of at most {limit} bytes"
        )
    n_rows = len(tensor.array)
    if 4 * n_features * n_rows > MAX_DECODED_BYTES:  # a coded row may be a single byte
        most = max(1, MAX_DECODED_BYTES // (4 * n_features))
        raise WireError(f"{n_rows} rows of {n_features} features; send at most {most} in a request")
    return codec.decode_rows(tensor.array.view(np.uint8), n_features)


def _codec_of(request: InferRequest, own: Codec) -> Codec:
    """What the request says that its rows are coded by."""
    name, digest = str(request.parameters["codec"]), str(request.parameters.get("codec_digest", ""))
    for codec in (own, *_FLOATS):
        if (name, digest) == (codec.name, codec.digest):
            return codec
    known = ", ".join(dict.fromkeys(_described(codec.name, codec.digest) for codec in (own, *_FLOATS)))
    raise WireError(f"features coded as {_described(name, digest)}; this model reads {known}")


def _described(name: str, digest: str) -> str:
    return f"{name[:40]!r}" + (f" with parameters {digest[:16]!r}" if digest else "")


def _only(tensors: Sequence[Tensor], what: str) -> Tensor:
    if len(tensors) != 1:
        raise WireError(f"{len(tensors)} {what}; there must be exactly one")
    return tensors[0]


def _check_shape(tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tensor.array.shape[1:] != shape:
        wanted = ", ".join(str(size) for size in (-1, *shape))
        raise WireError(f"tensor {tensor.name!r} has shape {tensor.array.shape}; this model reads [{wanted}]")
