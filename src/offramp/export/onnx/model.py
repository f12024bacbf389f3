"""A part of a bundle as a model of ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import offramp
from offramp.bundle import HEAD_DIGEST_KEY, Bundle, Part
from offramp.errors import ConfigError
from offramp.export.onnx.graph import Graph
from offramp.export.onnx.layers import add_layers

if TYPE_CHECKING:
    from onnx import ModelProto

# Old enough for the servers of today: onnxruntime reads them since 2020.
_OPSET = 13
_IR_VERSION = 7


def onnx_tail_model(bundle: Bundle) -> ModelProto:
    """The tail: features FP32 [n, n_features] -> scores FP32 [n, n_classes].

    Inner exits of the tail are left out: every row goes through all of it.

    Raises:
        ConfigError: the bundle has no tail here.
        MissingDependencyError: onnx is not installed.
    """
    if bundle.tail is None:
        raise ConfigError(f"bundle {bundle.name!r} has no tail to export; copy tail.safetensors into it")
    metadata = {HEAD_DIGEST_KEY: bundle.features_digest}
    return to_onnx(bundle.tail, name=f"{bundle.name}.tail", reads="features", writes="scores", words=metadata)


def to_onnx(
    part: Part, *, name: str, reads: str, writes: str, words: Mapping[str, str] | None = None
) -> ModelProto:
    """A part with one input `reads`, FP32 [n, n_in], and one output `writes`, FP32 [n, n_out].

    It computes what `runtime.Network` does, in another order of sums: equal to the last places of float32.

    Args:
        name: of the graph.
        words: the model's metadata.

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    graph = Graph()
    graph.call_output(add_layers(graph, part, reads), writes)
    from onnx import checker, helper

    tensors = [
        helper.make_tensor_value_info(tensor, graph.FLOAT, ["n", width])
        for tensor, width in ((reads, part.n_in), (writes, part.n_out))
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, name, tensors[:1], tensors[1:], graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="offramp",
        producer_version=offramp.__version__,
    )
    helper.set_model_props(model, dict(words or {}))
    checker.check_model(model, full_check=True)
    return model
