"""The whole network as one model: device, wire and server as in mode "split+exit", without If."""

from __future__ import annotations

import math

import numpy as np

from offramp.bundle import Bundle
from offramp.exits import ExitRule
from offramp.export.onnx.arrival import add_arrival
from offramp.export.onnx.exits import add_confidence, finite, only
from offramp.export.onnx.graph import Graph
from offramp.export.onnx.layers import add_layers
from offramp.export.onnx.passage import Picked, add_inputs, add_passage, add_pick, ways

_AS_ANSWERED = ExitRule(0.0)  # of what a server says, the device knows the largest softmax


def answerers(bundle: Bundle) -> list[str]:
    """Who may answer, in the order in which they are asked."""
    return [*(way.name for place in ("head", "tail") for way in ways(bundle, place)), "tail"]


def add_whole(graph: Graph, bundle: Bundle) -> None:
    """Everything from raw samples to answers, for a bundle with all of its parts.

    A row that the edge would refuse, since something in it overflows, has NaN as scores and confidence, and
    -1 as label and answerer.
    """
    n_classes, nan = len(bundle.classes), graph.number(math.nan, np.float64)
    inputs = add_inputs(graph, bundle)
    said, sent = add_passage(graph, bundle, "head", inputs)
    if bundle.encoder is not None:
        sent = add_layers(graph, "encoder", bundle.encoder, sent)
    behind, scores = add_passage(graph, bundle, "tail", add_arrival(graph, bundle.codec, sent))
    last = graph.number(len(said) + len(behind), np.int64)
    tail = add_pick(graph, behind, len(said), Picked(scores, nan, last))
    scores = only(graph, finite(graph, sent), tail.scores)  # a codec makes numbers of NaN and infinity
    confidence = add_confidence(graph, "tail", _AS_ANSWERED, scores, n_classes)
    picked = add_pick(graph, said, 0, Picked(scores, confidence, tail.number))
    scores = only(graph, finite(graph, inputs), picked.scores)

    sound, none = finite(graph, scores), graph.number(-1, np.int64)
    best = graph.node("ArgMax", scores, axis=1, keepdims=0)
    graph.output(scores, "scores", np.float32, n_classes)
    graph.output(graph.node("Where", sound, best, none), "label", np.int64)
    graph.output(graph.node("Where", sound, picked.confidence, nan), "confidence", np.float64)
    graph.output(graph.node("Where", sound, picked.number, none), "answered_by", np.int64)
