"""Bytes that really pass between an edge and a tail, framing included."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.errors import PeerError
from offramp.runtime import Edge, Mode, ShapedLink

MODES: tuple[Mode, ...] = ("remote", "split", "split+exit")  # images; features; those of unsure samples
BATCHES = (1, 64)
DEADLINE_S = 30.0  # nothing is timed here, so a busy machine is waited for


@dataclass(frozen=True)
class Streamed:
    """Test samples that were answered over a wire; bytes of both directions, over all samples.

    Args:
        batch: samples that were asked for together.
        fallbacks: samples that the tail did not answer in time, or not at all.
    """

    budget: int
    mode: str
    batch: int
    n: int
    accuracy: float
    exit_rate: float
    payload_bytes: float
    wire_bytes: float
    fallbacks: int


def streamed(
    bundle: Bundle,
    link: ShapedLink,
    samples: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
    *,
    budget: int,
    mode: Mode,
    batch: int,
    advance: Callable[[int], None] = lambda n: None,
) -> Streamed:
    """What these samples take on the link in this mode; connecting is not counted.

    Args:
        link: to the bundle's tail, which serves whole networks too in mode "remote".
        samples, labels: raw (n, *shape) and (n,).
        advance: called with the number of samples after every batch.

    Raises:
        PeerError: nobody is ready at the other end.
    """
    tail = f"127.0.0.1:{link.port}"
    with Edge(bundle, tail=tail, mode=mode, deadline_s=DEADLINE_S) as edge:
        if not edge.connect(DEADLINE_S):
            raise PeerError(f"the tail at {tail} is not ready after {DEADLINE_S:g} s")
        before = link.bytes_up + link.bytes_down
        answers = []
        for first in range(0, len(samples), batch):
            answers += edge.infer_many(samples[first : first + batch])
            advance(min(batch, len(samples) - first))
        n_bytes = link.bytes_up + link.bytes_down - before
    n, sources = len(answers), [answer.source for answer in answers]
    return Streamed(
        budget=budget,
        mode=mode,
        batch=batch,
        n=n,
        accuracy=float(np.mean([answer.label for answer in answers] == labels)),
        exit_rate=sources.count("exit") / n,
        payload_bytes=sum(answer.payload_bytes for answer in answers) / n,
        wire_bytes=n_bytes / n,
        fallbacks=sources.count("fallback"),
    )
