"""The models that a bundle gives a server to answer for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offramp import wire
from offramp.bundle import Bundle, Terms
from offramp.codec import Codec
from offramp.errors import ConfigError
from offramp.runtime.cascade import Cascade, inner_ways
from offramp.runtime.network import FloatArray, Network

Compute = Callable[[FloatArray], Any]
DATATYPES = {"uint8": "UINT8", "float32": "FP32"}


@dataclass(frozen=True)
class Model:
    """What a server answers for under one name.

    Args:
        bundle: the name of the bundle it is from, whose models have their versions in common.
        metadata: its name, and the tensors it reads and writes.
        read: the rows (n_rows, ...) that a request holds; WireError or DataError where it holds no such rows.
        compute: scores (n_rows, n_classes) of rows; any callable on arrays, and it may fail.
        n_classes: scores in a row.
        head_digest: the head whose features it understands.
        codec: how features come, beside plain floats.
        row_bytes: of the largest form in which one row may come.
        row_values: float32 values that `read` makes of one row.
        at_once: batches that `compute` takes at the same time, from several threads; with 1 a server calls
            it, and the other models that it has, in one thread at a time.
    """

    bundle: str
    metadata: wire.ModelMetadata
    read: Callable[[wire.InferRequest], FloatArray]
    compute: Compute
    n_classes: int
    head_digest: str
    codec: Codec
    row_bytes: int
    row_values: int
    at_once: int = 1

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def understands(self) -> tuple[str, str, str]:
        """What a device must have in common with it: the digest of the head, name and digest of the codec."""
        return self.head_digest, self.codec.name, self.codec.digest


def tail_model_name(bundle: Bundle | Terms) -> str:
    """The model that turns features into scores."""
    return f"{bundle.name}.tail"


def models_of(bundle: Bundle, *, tail: Compute | None = None, threads: int = 1) -> tuple[Model, ...]:
    """The tail of a bundle as a model; with the head beside it, the whole network as a second one.

    Features leave the tail by its inner exits, those that are here, and get their scores. The whole network
    has no exits, as it has none on a device that computes it all.

    Args:
        bundle: with its tail, unless `tail` is given.
        tail: takes the place of the bundle's: features (batch, n_features) float32 -> (batch, n_classes).
            It has no inner exits.
        threads: for the bundle's own parts.

    Raises:
        ConfigError: no tail at all.
    """
    whole = tail
    if tail is None:
        if bundle.tail is None:
            raise ConfigError(f"bundle {bundle.name!r} has no tail; give its tail part, or a callable")
        cascade = Cascade(bundle.tail, inner_ways(bundle, "tail"), threads=threads)
        tail, whole = cascade.scores, cascade.whole
    assert whole is not None
    models = [_tail_model(bundle, tail)]
    if bundle.head is not None and (bundle.encoder is not None or not bundle.encoder_digest):
        parts = [part for part in (bundle.head, bundle.encoder) if part is not None]
        models.append(_whole_model(bundle, [Network(part, threads=threads) for part in parts], whole))
    return tuple(models)


def _tail_model(bundle: Bundle, tail: Compute) -> Model:
    n_features = bundle.n_sent

    def read(request: wire.InferRequest) -> FloatArray:
        return wire.read_features(request, n_features=n_features, codec=bundle.codec)

    features = wire.TensorSpec("features", "FP32", (-1, n_features))
    return _model(bundle, tail_model_name(bundle), features, read, tail, 4 * n_features, n_features)


def _whole_model(bundle: Bundle, before: Sequence[Network], tail: Compute) -> Model:
    """The whole network; `before` is what the device else computes, head and encoder."""
    preprocessing = bundle.preprocessing
    datatype = DATATYPES[preprocessing.dtype]

    def read(request: wire.InferRequest) -> FloatArray:
        return preprocessing(wire.read_samples(request, datatype=datatype, shape=preprocessing.shape))

    def compute(inputs: FloatArray) -> Any:
        for network in before:
            inputs = network(inputs)
        return tail(inputs)

    sample = wire.TensorSpec("sample", datatype, (-1, *preprocessing.shape))
    row_bytes = int(np.prod(preprocessing.shape)) * np.dtype(preprocessing.dtype).itemsize
    return _model(bundle, bundle.name, sample, read, compute, row_bytes, preprocessing.n_features)


def _model(
    bundle: Bundle,
    name: str,
    reads: wire.TensorSpec,
    read: Callable[[wire.InferRequest], FloatArray],
    compute: Compute,
    row_bytes: int,
    row_values: int,
) -> Model:
    n_classes = len(bundle.classes)
    scores = wire.TensorSpec("scores", "FP32", (-1, n_classes))
    metadata = wire.ModelMetadata(name, inputs=(reads,), outputs=(scores,))
    return Model(
        bundle=bundle.name,
        metadata=metadata,
        read=read,
        compute=compute,
        n_classes=n_classes,
        head_digest=bundle.features_digest,
        codec=bundle.codec,
        row_bytes=row_bytes,
        row_values=row_values,
    )
