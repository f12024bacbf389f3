"""Head, exit and encoder in integers, in the places of `Cascade` and `Network`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.int8 import IntegerDevice, IntegerJunction
from offramp.runtime.cascade import Left, Passage

Array = npt.NDArray[Any]


class IntegerNetwork:
    """Junctions that compute.

    Args:
        junctions: in order; one at least.
    """

    def __init__(self, junctions: Sequence[IntegerJunction]) -> None:
        self._junctions = junctions
        self.n_in = junctions[0].n_in
        self.n_macs = sum(junction.n_edges for junction in junctions)

    def __call__(self, symbols: Array) -> Array:
        """Symbols, or scores, (n, n_out) for symbols (n, n_in)."""
        for junction in self._junctions:
            symbols = junction(symbols)
        return symbols


class IntegerHead:
    """The head, left at the cut by the rows that the exit is sure of.

    Args:
        exits: whether any may leave; else the exit is not computed.
    """

    def __init__(self, device: IntegerDevice, *, exits: bool) -> None:
        self._device = device
        self._head = IntegerNetwork(device.head)
        self._exit = IntegerNetwork(device.exit) if exits else None
        self._sure_from = device.rule.threshold_level if exits else 0

    @property
    def networks(self) -> tuple[IntegerNetwork, ...]:
        """All that may be computed, in order of execution."""
        return (self._head,) if self._exit is None else (self._head, self._exit)

    def __call__(self, symbols: Array) -> Passage:
        """Who leaves, and the features of the others, as symbols."""
        features, rows, n_macs = self._head(symbols), np.arange(len(symbols)), self._head.n_macs
        if self._exit is None:
            return Passage((), rows, features, None, None, n_macs, {})
        n_macs += self._exit.n_macs
        whole, rule = self._exit(features), self._device.rule
        level = rule.level(whole)
        scores, confidence, sure = (
            self._device.real(whole),
            rule.confidence_of(level),
            level >= self._sure_from,
        )
        left = Left("exit", rows[sure], scores[sure], confidence[sure], n_macs)
        seen = {"exit": confidence}
        return Passage(
            (left,) if sure.any() else (),
            rows[~sure],
            features[~sure],
            scores[~sure],
            confidence[~sure],
            n_macs,
            seen,
        )
