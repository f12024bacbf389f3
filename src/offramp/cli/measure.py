"""What streaming labelled samples through a network in one mode gives and costs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle
from offramp.errors import PeerError
from offramp.report import Row
from offramp.runtime import Answer, Edge, Mode, ShapedLink

CONNECT_S = 30.0  # over the slowest of links


@dataclass(frozen=True)
class Stream:
    """Labelled samples to be sent one by one, each when the one before is answered.

    Args:
        samples: raw, (N, *shape).
        labels: (N,).
        deadline_s: for each sample.
        threads: of the edge's kernels.
    """

    samples: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]
    deadline_s: float
    threads: int = 1

    def through(
        self,
        bundle: Bundle,
        mode: Mode,
        *,
        link: ShapedLink | None,
        head_bytes: int,
        advance: Callable[[], None] = lambda: None,
    ) -> Row:
        """What the network gave and cost in this mode.

        Args:
            link: on the way to the tail; None where nothing is sent.
            advance: called after every answer.
        """
        tail = None if link is None else f"127.0.0.1:{link.port}"
        with Edge(bundle, tail=tail, mode=mode, deadline_s=self.deadline_s, threads=self.threads) as edge:
            if not edge.connect(CONNECT_S):
                raise PeerError(f"the tail at {tail} is not ready after {CONNECT_S:g} s")
            bytes_before = _bytes(link)
            answers = []
            for sample in self.samples:
                answers.append(edge.infer(sample))
                advance()
            wire_bytes = _bytes(link) - bytes_before
        return self._row(bundle, mode, answers, wire_bytes, head_bytes)

    def _row(self, bundle: Bundle, mode: str, answers: list[Answer], wire_bytes: int, head_bytes: int) -> Row:
        n = len(answers)
        p50, p99 = np.quantile([answer.latency_s for answer in answers], [0.5, 0.99])
        sources = [answer.source for answer in answers]
        return Row(
            network=bundle.name,
            mode=mode,
            accuracy=float(np.mean([answer.label for answer in answers] == self.labels)),
            exit_rate=sources.count("exit") / n,
            wire_bytes_per_sample=wire_bytes / n,
            payload_bytes_per_sample=sum(answer.payload_bytes for answer in answers) / n,
            latency_p50_s=float(p50),
            latency_p99_s=float(p99),
            head_parameters=bundle.parts["head"].n_parameters,
            exit_parameters=bundle.parts["exit"].n_parameters,
            head_bytes=head_bytes,
            edge_macs=float(np.mean([answer.n_macs for answer in answers])),
            n_samples=n,
            fallbacks=sources.count("fallback"),
        )


def _bytes(link: ShapedLink | None) -> int:
    return 0 if link is None else link.bytes_up + link.bytes_down
