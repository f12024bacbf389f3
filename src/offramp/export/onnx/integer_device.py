"""Head, exit and encoder in integers as a model of ONNX: docs/formats/int8.md, bit for bit.

Sums are products of int32 matrices: MatMulInteger of bytes and signed bytes saturates on processors without
VNNI. What is scaled needs 47 bits, so that is done in int64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from offramp.bundle import Bundle
from offramp.export.onnx.arrival import add_symbols
from offramp.export.onnx.graph import Graph
from offramp.export.onnx.integer_exit import add_level
from offramp.export.onnx.layers import dense, gathered, gathers
from offramp.export.onnx.passage import SAMPLES
from offramp.export.onnx.preprocessing import add_preprocessing, padded, window_sums
from offramp.int8 import Inputs, IntegerDevice, IntegerJunction, Scaling


def add_integer_device(graph: Graph, bundle: Bundle, *, activations: bool) -> None:
    """From raw samples to symbols and verdicts.

    Args:
        activations: whether all that is computed on the way leaves too: `inputs`, and the symbols of each
            junction but the last of its part, "head.0" the first.

    Raises:
        ConfigError: a part that is not here, inner exits, or a bundle that is not quantised.
    """
    device = IntegerDevice(bundle)
    x = _add_inputs(graph, device.inputs)
    if activations:
        graph.output(graph.cast(x, np.uint8), "inputs", np.uint8, bundle.preprocessing.n_features)
    features = _add_part(graph, "head", device.head, x, activations=activations)
    graph.output(graph.cast(features, np.uint8), "features", np.uint8, device.head[-1].n_out)
    if device.encoder:
        sent = _add_part(graph, "encoder", device.encoder, features, activations=activations)
        graph.output(graph.cast(sent, np.uint8), "sent", np.uint8, device.encoder[-1].n_out)
    scores = _add_part(graph, "exit", device.exit, features, activations=activations)
    level = add_level(graph, device.rule, scores)
    sure = graph.node("GreaterOrEqual", level, graph.number(device.rule.threshold_level, np.int64))
    graph.output(scores, "scores", np.int32, len(bundle.classes))
    graph.output(graph.node("ArgMax", scores, axis=1, keepdims=0), "label", np.int64)
    graph.output(graph.cast(level, np.int32), "level", np.int32)
    graph.output(sure, "sure", np.bool_)


def _add_inputs(graph: Graph, inputs: Inputs) -> str:
    """Symbols (n, n_features), int32, of the raw samples that the model reads."""
    rule = inputs.preprocessing
    raw = graph.input(SAMPLES, rule.dtype, *rule.shape)
    if inputs.grid is not None:
        values = add_preprocessing(graph, rule, raw)
        return graph.cast(add_symbols(graph, "input", inputs.grid, values), np.int32)
    x = graph.cast(raw, np.int32)
    if rule.pool > 1:  # means, half up
        n = rule.pool**2
        x = graph.node("Add", window_sums(graph, rule, x), graph.number(n // 2, np.int32))
        x = graph.node("Div", x, graph.number(n, np.int32))
    return padded(graph, rule, graph.node("Flatten", x))


def _add_part(
    graph: Graph, name: str, junctions: Sequence[IntegerJunction], x: str, *, activations: bool
) -> str:
    """Symbols or scores (n, n_out), int32, of symbols x (n, n_in), int32."""
    for i, junction in enumerate(junctions):
        x = _add_junction(graph, f"{name}.{i}", junction, x)
        if activations and i + 1 < len(junctions):
            graph.output(graph.cast(x, np.uint8), f"{name}.{i}", np.uint8, junction.n_out)
    return x


def _add_junction(graph: Graph, name: str, junction: IntegerJunction, x: str) -> str:
    weight = graph.cast(graph.constant(f"{name}.weight", junction.weight), np.int32)
    table, bias = (graph.constant(f"{name}.{kind}", getattr(junction, kind)) for kind in ("table", "bias"))
    if gathers(junction):
        sums = gathered(graph, junction, weight, table, x)
    else:
        sums = graph.node("MatMul", x, dense(graph, junction, weight, table, np.int32))
    sums = graph.node("Add", sums, bias)
    if junction.scaling is not None:
        return _add_scaling(graph, name, junction.scaling, sums)
    if junction.floor is not None:
        return graph.node("Max", sums, graph.number(junction.floor, np.int32))
    return sums


def _add_scaling(graph: Graph, name: str, scaling: Scaling, sums: str) -> str:
    """Symbols (n, n_out), int32, of sums (n, n_out). Nothing is below 0, so Div rounds down."""

    def number(value: int) -> str:
        return graph.number(value, np.int64)

    multiplier = graph.constant(f"{name}.multiplier", scaling.multiplier.astype(np.uint16))
    x = graph.node("Max", graph.cast(sums, np.int64), number(0))
    x = graph.node("Mul", x, number(1 << scaling.lift))
    x = graph.node("Mul", x, graph.cast(multiplier, np.int64))
    x = graph.node("Add", x, number(1 << (scaling.shift - 1)))
    x = graph.node("Div", x, number(1 << scaling.shift))
    return graph.cast(graph.node("Min", x, number(scaling.limit)), np.int32)
