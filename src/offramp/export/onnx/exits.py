"""What exits make of scores: `exits.ExitRule` as nodes of ONNX, in float64 as there."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from offramp.exits import ExitRule
from offramp.export.onnx.graph import Graph

_LEAST = 1e-300  # probabilities below it add nothing to an entropy, and log 0 is none


class Verdict(NamedTuple):
    """What an exit says: scores (n, n_classes) float32, confidence (n,) float64, sure (n,) bool."""

    scores: str
    confidence: str
    sure: str


def add_verdict(graph: Graph, name: str, rule: ExitRule, scores: str, x: str, n_classes: int) -> Verdict:
    """The verdict of the exit of this name, which read x (n, width) and gave these scores."""
    confidence = add_confidence(graph, name, rule, scores, n_classes)
    sure = graph.node("GreaterOrEqual", confidence, graph.number(rule.threshold, np.float64))
    # An overflow in x leaves by no exit, though a ReLU behind it may hide it.
    return Verdict(scores, confidence, graph.node("And", sure, finite(graph, x)))


def add_confidence(graph: Graph, name: str, rule: ExitRule, scores: str, n_classes: int) -> str:
    """The confidence (n,), float64, of scores (n, n_classes); NaN for a row that is not finite."""
    x = graph.cast(scores, np.float64)
    x = graph.node("Sub", x, graph.node("ReduceMax", x, axes=[1], keepdims=1))
    if rule.temperature != 1:
        x = graph.node("Div", x, graph.number(rule.temperature, np.float64))
    if rule.criterion == "learned":
        confidence = _learned(graph, name, rule, x, n_classes)
    else:
        confidence = _of_softmax(graph, rule.criterion, graph.node("Exp", x), n_classes)
    return graph.node("Where", finite(graph, scores), confidence, graph.number(math.nan, np.float64))


def finite(graph: Graph, x: str) -> str:
    """Which rows (n,) of x (n, width), float32, hold neither NaN nor infinity."""
    largest = graph.number(float(np.finfo(np.float32).max), np.float32)
    each = graph.node("LessOrEqual", graph.node("Abs", x), largest)  # NaN is not
    all_of_them = graph.node("ReduceMin", graph.cast(each, np.int32), axes=[1], keepdims=0)
    return graph.cast(all_of_them, np.bool_)


def only(graph: Graph, rows: str, x: str) -> str:
    """Values x (n, width), float32, of these rows (n,) of bool; NaN in the others."""
    nan = graph.number(math.nan, np.float32)
    return graph.node("Where", column_of(graph, rows), x, nan)


def column_of(graph: Graph, rows: str) -> str:
    """(n,) as (n, 1)."""
    return graph.node("Unsqueeze", rows, graph.integers(1))


def _of_softmax(graph: Graph, criterion: str, exponentials: str, n_classes: int) -> str:
    one = graph.number(1, np.float64)
    if criterion == "max_softmax":  # the largest exponential is exp(0) = 1
        return graph.node("Div", one, graph.sum(exponentials, 1))
    p = graph.node("Div", exponentials, graph.sum(exponentials, 1, keepdims=True))
    if criterion == "margin":
        best = graph.descending(p, 2)
        return graph.node("Sub", graph.column(best, 0), graph.column(best, 1))
    logarithms = graph.node("Log", graph.node("Max", p, graph.number(_LEAST, np.float64)))
    share = graph.node(
        "Div", graph.sum(graph.node("Mul", p, logarithms), 1), graph.number(math.log(n_classes), np.float64)
    )
    return graph.node("Clip", graph.node("Add", share, one), graph.number(0, np.float64), one)


def _learned(graph: Graph, name: str, rule: ExitRule, x: str, n_classes: int) -> str:
    *weights, constant = rule.weights
    own = graph.constant(f"{name}.criterion.weights", np.array(weights))
    ranked = graph.node("Mul", graph.descending(x, n_classes), own)
    z = graph.node("Add", graph.sum(ranked, 1), graph.number(constant, np.float64))
    one = graph.number(1, np.float64)
    return graph.node("Div", one, graph.node("Add", one, graph.node("Exp", graph.node("Neg", z))))
