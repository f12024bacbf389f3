"""What features are on the other side of the wire: a codec's arithmetic as nodes of ONNX."""

from __future__ import annotations

import numpy as np

from offramp.codec import Codec, GriddedCodec
from offramp.export.onnx.graph import Graph


def add_arrival(graph: Graph, codec: Codec, x: str) -> str:
    """Features x (n, n_features), float32, as `codec.arrived` has them; bit for bit where they are finite."""
    if isinstance(codec, GriddedCodec):
        return _through_grid(graph, codec, x)
    if codec.name == "float16":
        limit = float(np.finfo(np.float16).max)
        x = graph.node("Clip", x, graph.number(-limit, np.float32), graph.number(limit, np.float32))
        return graph.cast(graph.cast(x, np.float16), np.float32)
    return x


def _through_grid(graph: Graph, codec: GriddedCodec, x: str) -> str:
    """As docs/formats/codecs.md: every operation rounded to float32 by itself, Round to even."""
    grid = codec.grid
    last = np.float32(grid.n_levels - 1)
    high = grid.place(np.full((1, grid.n_features), last, np.float32)).ravel()
    low, step = (np.array(values, np.float32) for values in (grid.low, grid.step))
    names = [
        graph.constant(f"codec.{name}", array)
        for name, array in (("low", low), ("high", high), ("step", step))
    ]
    x = graph.node("Min", graph.node("Max", x, names[0]), names[1])
    x = graph.node("Round", graph.node("Div", graph.node("Sub", x, names[0]), names[2]))
    x = graph.node("Min", x, graph.number(float(last), np.float32))
    return graph.node("Add", graph.node("Mul", x, names[2]), names[0])
