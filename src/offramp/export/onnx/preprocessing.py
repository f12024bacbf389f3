"""Raw samples to network inputs: `bundle.Preprocessing` as nodes of ONNX."""

from __future__ import annotations

import numpy as np

from offramp.bundle import Preprocessing
from offramp.export.onnx.graph import Graph


def add_preprocessing(graph: Graph, rule: Preprocessing, raw: str) -> str:
    """Network inputs (n, n_features), float32, of raw samples (n, *shape): the same bits as in training."""
    x = raw if rule.dtype == "float32" else graph.cast(raw, np.float32)
    if rule.pool > 1:
        n_pooled = graph.number(rule.pool**2, np.float32)
        x = graph.node("Div", window_sums(graph, rule, x), n_pooled)
    x = graph.node("Flatten", x)
    for operator, name, neutral in (("Sub", "offset", 0.0), ("Mul", "scale", 1.0)):
        value = getattr(rule, name)
        if value != neutral:
            x = graph.node(operator, x, graph.constant(name, np.array(value, np.float32)))
    return padded(graph, rule, x)


def window_sums(graph: Graph, rule: Preprocessing, x: str) -> str:
    """The sum (n, height/pool, width/pool) of each window of samples x (n, height, width).

    One position in the window after the other, as in training: ReduceSum may take another order.
    """
    (height, width), p = rule.shape, rule.pool
    axes, ends, steps = graph.integers(1, 2), graph.integers(height, width), graph.integers(p, p)
    total = ""
    for i, k in np.ndindex(p, p):
        own = graph.node("Slice", x, graph.integers(i, k), ends, axes, steps)
        total = graph.node("Add", total, own) if total else own
    return total


def padded(graph: Graph, rule: Preprocessing, x: str) -> str:
    """The values (n, n_values) with zeros behind them: (n, n_features)."""
    n_zeros = rule.n_features - rule.n_values
    return graph.node("Pad", x, graph.integers(0, 0, 0, n_zeros)) if n_zeros else x
