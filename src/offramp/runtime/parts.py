"""The parts of a bundle that compute on the device: in float32, or in integers as a microcontroller does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.int8 import IntegerDevice
from offramp.runtime.cascade import Cascade, Way
from offramp.runtime.integers import IntegerHead, IntegerNetwork
from offramp.runtime.network import Network, Real

Array = npt.NDArray[Any]
Verdict = tuple[Real, npt.NDArray[np.float64]]  # scores (n, n_classes), confidence (n,)


@dataclass(frozen=True)
class Parts:
    """What computes on the device. What head and encoder give is float32, or symbols of a grid.

    Args:
        inputs: from raw samples to what the head reads.
        head: None where it is not here.
        beside: of encoder, exit and tail those that compute by themselves.
        verdict: of the exit in `beside`, on what the head gives.
        values: what is sent of what head, or encoder, gives: float32 (n, n_sent).
    """

    inputs: Callable[[Array], Array]
    head: Cascade | IntegerHead | None
    beside: Mapping[str, Network | IntegerNetwork]
    verdict: Callable[[Array], Verdict]
    values: Callable[[Array], npt.NDArray[np.float32]]

    @property
    def networks(self) -> tuple[Network | IntegerNetwork, ...]:
        """All that may be computed."""
        return (*(self.head.networks if self.head else ()), *self.beside.values())


def float_parts(bundle: Bundle, ways: Sequence[Way], beside: Sequence[str], *, threads: int) -> Parts:
    """With the native kernels.

    Args:
        ways: out of the head.
        beside: names of the others.
    """
    networks = {name: Network(bundle.parts[name], threads=threads) for name in beside}

    def verdict(features: Array) -> Verdict:
        scores = networks["exit"](features)
        return scores, bundle.exit_rule.confidence(scores)

    return Parts(
        inputs=bundle.preprocessing,
        head=None if bundle.head is None else Cascade(bundle.head, ways, threads=threads),
        beside=networks,
        verdict=verdict,
        values=lambda given: given,
    )


def integer_parts(
    device: IntegerDevice, ways: Sequence[Way], beside: Sequence[str], *, threads: int
) -> Parts:
    """As docs/formats/int8.md says; the tail, where it is here, with float32.

    Args:
        ways: out of the head, the one at the cut or none.
        beside: names of the others.
    """
    bundle = device.bundle
    networks: dict[str, Network | IntegerNetwork] = {
        name: Network(bundle.parts[name], threads=threads)
        if name == "tail"
        else IntegerNetwork(getattr(device, name))
        for name in beside
    }

    def verdict(features: Array) -> Verdict:
        scores = networks["exit"](features)
        return device.real(np.asarray(scores)), device.rule.confidence(scores)

    return Parts(
        inputs=device.inputs,
        head=None if bundle.head is None else IntegerHead(device, exits=bool(ways)),
        beside=networks,
        verdict=verdict,
        values=device.values,
    )
