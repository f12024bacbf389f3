"""Through head or tail and past all exits: everything is computed, nobody leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from offramp.bundle import Bundle, Part, Place
from offramp.exits import ExitRule
from offramp.export.onnx.exits import Verdict, add_verdict, column_of
from offramp.export.onnx.graph import Graph
from offramp.export.onnx.layers import add_layers
from offramp.export.onnx.preprocessing import add_preprocessing

SAMPLES = "samples"


class Way(NamedTuple):
    """An exit after the first `after` layers of head or tail."""

    name: str
    after: int
    part: Part
    rule: ExitRule


def ways(bundle: Bundle, place: Place) -> Iterator[Way]:
    """The exits of head or tail that are here, in order of execution; the head's last one is at the cut."""
    for one in bundle.exits(place):
        yield Way(one.name, one.after, one.part, one.rule)
    if place == "head" and bundle.head is not None and bundle.exit is not None:
        yield Way("exit", len(bundle.head.layers), bundle.exit, bundle.exit_rule)


def add_inputs(graph: Graph, bundle: Bundle) -> str:
    """The network's inputs (n, n_features), of raw samples, which the model reads."""
    rule = bundle.preprocessing
    return add_preprocessing(graph, rule, graph.input(SAMPLES, rule.dtype, *rule.shape))


def add_passage(graph: Graph, bundle: Bundle, place: Place, x: str) -> tuple[dict[str, Verdict], str]:
    """What every exit of head or tail says to x, by name in order of execution, and what the part gives."""
    part, said, start = bundle.parts[place], {}, 0
    for way in ways(bundle, place):
        x = add_layers(graph, place, part, x, start=start, stop=way.after)
        said[way.name] = add_way(graph, bundle, way, x)
        start = way.after
    return said, add_layers(graph, place, part, x, start=start)


def add_way(graph: Graph, bundle: Bundle, way: Way, x: str) -> Verdict:
    """The verdict of an exit on x, the values where it stands."""
    scores = add_layers(graph, way.name, way.part, x)
    return add_verdict(graph, way.name, way.rule, scores, x, len(bundle.classes))


class Picked(NamedTuple):
    """The answers of whoever gives them: scores (n, n_classes), confidence (n,), its number (n,)."""

    scores: str
    confidence: str
    number: str


def add_pick(graph: Graph, said: Mapping[str, Verdict], first: int, others: Picked) -> Picked:
    """For each row the first of these exits that is sure, numbered from `first`; `others` where none is."""
    scores, confidence, number = others
    for i, verdict in reversed(list(enumerate(said.values(), first))):
        scores = graph.node("Where", column_of(graph, verdict.sure), verdict.scores, scores)
        confidence = graph.node("Where", verdict.sure, verdict.confidence, confidence)
        number = graph.node("Where", verdict.sure, graph.number(i, np.int64), number)
    return Picked(scores, confidence, number)
