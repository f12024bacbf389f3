"""How sure an exit in integers is: `int8.IntegerRule` as nodes of ONNX, all in int64.

Whatever is shifted down is 0 or more, so Div by a power of two rounds down as a shift does.
"""

from __future__ import annotations

import numpy as np

from offramp.export.onnx.graph import Graph
from offramp.int8 import FARTHEST, IntegerRule
from offramp.int8.powers import EXP2, FRACTION, LOG2, ONE


def add_level(graph: Graph, rule: IntegerRule, scores: str) -> str:
    """(n,) int64 of scores (n, n_classes), int32."""
    return _Level(graph).of(rule, graph.cast(scores, np.int64))


class _Level:
    """Arithmetic of integers, in a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def of(self, rule: IntegerRule, scores: str) -> str:
        graph = self._graph
        octaves = self._octaves(rule, scores)
        if rule.rule.criterion == "learned":
            weights, constant, _ = rule.learned
            own = graph.constant("exit.criterion.weights", np.array(weights, np.int64))
            farthest_first = graph.descending(self._minus(self._number(0), octaves), rule.n_classes)
            ascending = self._minus(self._number(0), farthest_first)
            weighed = graph.sum(self._times(own, self._down(ascending, 4)), 1)
            return self._minus(self._number(constant), weighed)
        shares = self._exp2(octaves)  # the best score's is ONE
        whole = graph.sum(shares, 1)
        if rule.rule.criterion == "max_softmax":
            return self._minus(self._number(ONE), whole)
        if rule.rule.criterion == "margin":
            second = graph.column(graph.descending(shares, 2), 1)
            ahead = self._times(self._minus(self._number(ONE), second), self._number(1 << 15))
            return graph.node("Div", ahead, whole)
        surprise = graph.sum(self._down(self._times(shares, octaves), 8), 1)
        surprise = graph.node("Div", surprise, self._down(whole, 8))
        return self._minus(self._minus(self._number(0), self._log2(whole)), surprise)

    def _octaves(self, rule: IntegerRule, scores: str) -> str:
        """(n, n_classes): how far each score is behind the best."""
        graph, distance = self._graph, rule.distance
        behind = self._minus(graph.node("ReduceMax", scores, axes=[1], keepdims=1), scores)
        behind = graph.node("Min", behind, self._number((2**32 - 1) >> distance.lift))
        lifted = self._times(behind, self._number(1 << distance.lift))
        octaves = self._down(self._times(lifted, self._number(distance.multiplier)), distance.shift)
        return graph.node("Min", octaves, self._number(FARTHEST))

    def _exp2(self, x: str) -> str:
        """2^-x, 16 fractional bits, of x with 12."""
        a, b, c = EXP2
        f = self._fraction(x)
        inner = self._times(f, self._minus(self._number(b), self._down(self._times(f, self._number(c)))))
        inner = self._times(f, self._minus(self._number(a), self._down(inner)))
        mantissa = self._minus(self._number(ONE), self._down(inner))
        whole = self._graph.node("Min", self._down(x), self._number(31))
        return self._graph.node("Div", mantissa, self._power(whole))

    def _log2(self, x: str) -> str:
        """log2 of x (n,), 2^16 ... 2^32 - 1, less 16, with 12 fractional bits."""
        graph, (p, q, r, s) = self._graph, LOG2
        beyond = graph.constant("powers from 2^17", np.array([1 << k for k in range(17, 32)], np.int64))
        column = graph.node("Unsqueeze", x, graph.integers(1))
        reached = graph.cast(graph.node("GreaterOrEqual", column, beyond), np.int64)
        top = graph.sum(reached, 1)  # the number of the highest bit, less 16
        g = graph.node("Div", x, self._power(graph.node("Add", top, self._number(16 - FRACTION))))
        g = self._fraction(g)
        inner = self._times(g, self._minus(self._number(r), self._down(self._times(g, self._number(s)))))
        inner = self._times(g, self._minus(self._number(q), self._down(inner)))
        inner = self._times(g, self._minus(self._number(p), self._down(inner)))
        return graph.node("Add", self._times(top, self._number(1 << FRACTION)), self._down(inner, 16))

    def _power(self, exponents: str) -> str:
        """2^x, of x from 0 to 31."""
        powers = self._graph.constant("powers of two", np.array([1 << k for k in range(32)], np.int64))
        return self._graph.node("Gather", powers, exponents)

    def _fraction(self, x: str) -> str:
        return self._graph.node("Mod", x, self._number(1 << FRACTION))

    def _down(self, x: str, bits: int = FRACTION) -> str:
        return self._graph.node("Div", x, self._number(1 << bits))

    def _minus(self, x: str, y: str) -> str:
        return self._graph.node("Sub", x, y)

    def _times(self, x: str, y: str) -> str:
        return self._graph.node("Mul", x, y)

    def _number(self, value: int) -> str:
        return self._graph.number(value, np.int64)
