"""What every exit and the tail of a bundle say to samples: the arithmetic of device and server, no link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle, Part, Place
from offramp.codec import arrived
from offramp.errors import ConfigError
from offramp.runtime.network import FloatArray, Network

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
    head, exit = bundle.parts["head"], bundle.parts["exit"]
    inner = _inner(bundle, "head", head, threads)
    before = [Network(head, threads=threads)]
    at_cut = Network(exit, threads=threads)
    encoder = [] if bundle.encoder is None else [Network(bundle.encoder, threads=threads)]
    pieces: dict[str, list[FloatArray]] = {name: [] for name in (*inner, "exit", "sent")}
    for start in range(0, max(len(samples), 1), _AT_ONCE):  # once even for no samples: shapes are told
        inputs = bundle.preprocessing(samples[start : start + _AT_ONCE])
        for name, networks in inner.items():
            pieces[name].append(_through(networks, inputs))
        features = _through(before, inputs)
        pieces["exit"].append(at_cut(features))
        pieces["sent"].append(_through(encoder, features))
    joined = {name: np.concatenate(piece) for name, piece in pieces.items()}
    sent = joined.pop("sent")
    return joined, sent


def server_scores(
    bundle: Bundle, features: FloatArray, *, threads: int = 1
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Scores (n, n_classes) of the server's exits by name, and of the tail, from features as they arrive."""
    _check(bundle, "tail")
    tail = bundle.parts["tail"]
    inner = _inner(bundle, "tail", tail, threads)
    exits = {name: _through(networks, features) for name, networks in inner.items()}
    return exits, Network(tail, threads=threads)(features)


def _inner(bundle: Bundle, place: Place, part: Part, threads: int) -> dict[str, list[Network]]:
    """For each inner exit, what computes its scores from the part's inputs."""
    return {
        one.name: [Network(_beginning(part, one.after), threads=threads), Network(one.part, threads=threads)]
        for one in bundle.exits(place)
    }


def _beginning(part: Part, n_layers: int) -> Part:
    """The part's first layers, as a part."""
    arrays = {name: array for name, array in part.arrays.items() if int(name.split(".")[0]) < n_layers}
    return Part(part.layers[:n_layers], arrays)


def _through(networks: list[Network], x: FloatArray) -> FloatArray:
    for network in networks:
        x = network(x)
    return x


def _check(bundle: Bundle, *needed: str) -> None:
    if missing := [name for name in needed if name not in bundle.parts]:
        raise ConfigError(
            f"bundle {bundle.name!r} has no {' and no '.join(missing)} here; judging it takes all of its"
            " parts, copy their files into its folder"
        )
