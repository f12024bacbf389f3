"""What other thresholds would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offramp.errors import InputError
from offramp.exits.guarantee import Outcomes
from offramp.exits.guarantee.outcomes import TAIL

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sweep:
    """All (n_thresholds,), as shares of the samples.

    Args:
        accuracy: of the answers that come.
        exit_rate, edge_exit_rate: samples that an exit answers, and one on the device.
    """

    thresholds: Floats
    accuracy: Floats
    exit_rate: Floats
    edge_exit_rate: Floats


def sweep(outcomes: Outcomes, thresholds: Floats) -> Sweep:
    """Each of these thresholds, set on all exits.

    Raises:
        InputError: nobody knows the labels.
    """
    if outcomes.labels is None:
        raise InputError("samples without labels; who is right is known of labelled samples only")
    answered = [outcomes.answered_by(threshold) for threshold in thresholds.tolist()]
    labels = [outcomes.system_labels(threshold) for threshold in thresholds.tolist()]
    n_on_edge = int(outcomes.on_edge.sum())
    return Sweep(
        thresholds,
        accuracy=np.array([(one == outcomes.labels).mean() for one in labels]),
        exit_rate=np.array([(by != TAIL).mean() for by in answered]),
        edge_exit_rate=np.array([((by != TAIL) & (by < n_on_edge)).mean() for by in answered]),
    )
