"""What every exit and the tail of a bundle say to samples: the arithmetic of device and server, no link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle, Part
from offramp.codec import arrived
from offramp.errors import ConfigError
from offramp.int8 import IntegerDevice
from offramp.runtime.cascade import Way, inner_ways, ways_of_head
from offramp.runtime.network import FloatArray, Network, Real

_SENT = "sent"  # no exit is called this
_AT_ONCE = 4096  # samples; bounds the memory of preprocessed inputs


@dataclass(frozen=True, eq=False)
class Scores:
    """What was said to n samples.

    Args:
        exits: scores (n, n_classes) of every exit by its part's name, in order of execution; float64 of those
            in `units`.
        n_on_edge: how many of the exits run on the device: the first ones.
        sent: (n, n_sent) values that the device would code, before they are.
        tail: (n, n_classes), from features as they arrive.
        units: by name, of exits in integers: what their scores are whole multiples of.
    """

    exits: dict[str, Real]
    n_on_edge: int
    sent: FloatArray
    tail: FloatArray
    units: Mapping[str, float] = field(default_factory=dict)


def scores_of(bundle: Bundle, samples: npt.NDArray[Any], *, int8: bool = False, threads: int = 1) -> Scores:
    """What every exit and the tail say to all samples, exited or not; the tail reads features as they arrive.

    Args:
        bundle: with all of its parts.
        samples: raw, (n, *shape).
        int8: whether the device computes with integers.

    Raises:
        ConfigError: a part is not here; with `int8`, a bundle that is not quantised or has inner exits.
        DataError, InputError: samples that the network cannot digest.
    """
    exits: dict[str, Real]
    units: dict[str, float] = {}
    if int8:
        device = IntegerDevice(bundle)
        scores, sent = _in_integers(device, samples)
        exits, units = {"exit": scores}, {"exit": device.rule.unit}
    else:
        floats, sent = edge_scores(bundle, samples, threads=threads)
        exits = {**floats}
    behind, tail = server_scores(bundle, arrived(bundle.codec, sent), threads=threads)
    return Scores({**exits, **behind}, len(exits), sent, tail, units)


def _in_integers(
    device: IntegerDevice, samples: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], FloatArray]:
    """Scores (n, n_classes) of the exit, and the values (n, n_sent) that would be coded."""
    starts = range(0, max(len(samples), 1), _AT_ONCE)
    traces = [device.trace(samples[start : start + _AT_ONCE]) for start in starts]
    scores = np.concatenate([device.real(trace.scores) for trace in traces])
    return scores, np.concatenate([device.values(trace.sent) for trace in traces])


def edge_scores(
    bundle: Bundle, samples: npt.NDArray[Any], *, threads: int = 1
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Scores (n, n_classes) of the device's exits by name, and the values (n, n_sent) that it would code."""
    _check(bundle, "head", "exit", *(["encoder"] if bundle.encoder_digest else []))
    head = _Part(bundle.parts["head"], ways_of_head(bundle), threads)
    encoder = None if bundle.encoder is None else Network(bundle.encoder, threads=threads)
    pieces: list[dict[str, FloatArray]] = []
    for start in range(0, max(len(samples), 1), _AT_ONCE):  # once even for no samples: shapes are told
        said, features = head(bundle.preprocessing(samples[start : start + _AT_ONCE]))
        pieces.append(said | {_SENT: features if encoder is None else encoder(features)})
    joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    sent = joined.pop(_SENT)
    return joined, sent


def server_scores(
    bundle: Bundle, features: FloatArray, *, threads: int = 1
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Scores (n, n_classes) of the server's exits by name, and of the tail, from features as they arrive."""
    _check(bundle, "tail")
    return _Part(bundle.parts["tail"], inner_ways(bundle, "tail"), threads)(features)


class _Part:
    """A part that nobody leaves, and all that is said on the way."""

    def __init__(self, part: Part, ways: Sequence[Way], threads: int) -> None:
        ends = [0, *(way.after for way in ways), len(part.layers)]
        self._pieces = [
            Network(part, threads=threads, start=start, stop=stop) for start, stop in pairwise(ends)
        ]
        self._exits = {way.name: Network(way.part, threads=threads) for way in ways}

    def __call__(self, x: FloatArray) -> tuple[dict[str, FloatArray], FloatArray]:
        """The scores of every exit, by name, and the part's outputs."""
        said = {}
        for piece, (name, exit) in zip(self._pieces, self._exits.items(), strict=False):  # one piece more
            x = piece(x)
            said[name] = exit(x)
        return said, self._pieces[-1](x)


def _check(bundle: Bundle, *needed: str) -> None:
    if missing := [name for name in needed if name not in bundle.parts]:
        raise ConfigError(
            f"bundle {bundle.name!r} has no {' and no '.join(missing)} here; judging it takes all of its"
            " parts, copy their files into its folder"
        )
