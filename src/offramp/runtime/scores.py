"""What every exit and the tail of a bundle say to samples: the arithmetic of device and server, no link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle, Part
from offramp.codec import arrived
from offramp.errors import ConfigError
from offramp.runtime.cascade import Way, inner_ways, ways_of_head
from offramp.runtime.network import FloatArray, Network

_SENT = "sent"  # no exit is called this
_AT_ONCE = 4096  # samples; bounds the memory of preprocessed inputs


@dataclass(frozen=True, eq=False)
class Scores:
    """What was said to n samples.

    Args:
        exits: scores (n, n_classes) of every exit by its part's name, in order of execution.
        n_on_edge: how many of the exits run on the device: the first ones.
        sent: (n, n_sent) values that the device would code, before they are.
        tail: (n, n_classes), from features as they arrive.
    """

    exits: dict[str, FloatArray]
    n_on_edge: int
    sent: FloatArray
    tail: FloatArray


def scores_of(bundle: Bundle, samples: npt.NDArray[Any], *, threads: int = 1) -> Scores:
    """What every exit and the tail say to all samples, exited or not; the tail reads features as they arrive.

    Args:
        bundle: with all of its parts.
        samples: raw, (n, *shape).

    Raises:
        ConfigError: a part is not here.
        DataError, InputError: samples that the network cannot digest.
    """
    exits, sent = edge_scores(bundle, samples, threads=threads)
    behind, tail = server_scores(bundle, arrived(bundle.codec, sent), threads=threads)
    return Scores(exits | behind, len(exits), sent, tail)


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
