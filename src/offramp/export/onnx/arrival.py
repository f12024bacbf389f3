"""What features are on the other side of the wire: a codec's arithmetic as nodes of ONNX."""

from __future__ import annotations

import numpy as np

from offramp.codec import Codec, Grid, GriddedCodec
from offramp.export.onnx.graph import Graph


def add_arrival(graph: Graph, codec: Codec, x: str) -> str:
    """Features x (n, n_features), float32, as `codec.arrived` has them; bit for bit where they are finite."""
    if isinstance(codec, GriddedCodec):
        symbols = add_symbols(graph, "codec", codec.grid, x)
        low, _, step = _constants(graph, "codec", codec.grid)
        return graph.node("Add", graph.node("Mul", symbols, step), low)
    if codec.name == "float16":
        limit = float(np.finfo(np.float16).max)
        x = graph.node("Clip", x, graph.number(-limit, np.float32), graph.number(limit, np.float32))
        return graph.cast(graph.cast(x, np.float16), np.float32)
    return x


def add_symbols(graph: Graph, name: str, grid: Grid, x: str) -> str:
    """The symbols, as float32, of x (n, n_features) on the grid of this name, which may be one for all.

    As docs/formats/codecs.md: every operation rounded to float32 by itself, Round to even.
    """
    low, high, step = _constants(graph, name, grid)
    x = graph.node("Min", graph.node("Max", x, low), high)
    x = graph.node("Round", graph.node("Div", graph.node("Sub", x, low), step))
    return graph.node("Min", x, graph.number(grid.n_levels - 1, np.float32))


def _constants(graph: Graph, name: str, grid: Grid) -> tuple[str, str, str]:
    low, step = (np.array(values, np.float32) for values in (grid.low, grid.step))
    high = grid.place(np.full((1, grid.n_features), grid.n_levels - 1, np.float32)).ravel()
    return (
        graph.constant(f"{name}.low", low),
        graph.constant(f"{name}.high", high),
        graph.constant(f"{name}.step", step),
    )
