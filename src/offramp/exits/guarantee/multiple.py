"""Which of many hypotheses can be rejected together, so that any is wrongly rejected with probability delta.

Nothing is asked of the p-values but that each is valid; they may depend on one another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PValues = npt.NDArray[np.float64]
Rejected = npt.NDArray[np.bool_]


def fixed_sequence(p_values: PValues, delta: float, *, start: int = 0) -> Rejected:
    """Each at the full level, one after the other from `start`, until the first that is not rejected.

    Valid for any order and start that were fixed without the samples of these p-values: a wrong rejection
    needs the first true hypothesis of the order to be rejected. The last one rejected is the last one
    certified; the one after it, where the sequence stopped, is not.

    Source: arXiv:2110.01052, algorithm 1.
    """
    passed = p_values[start:] <= delta
    rejected = np.zeros(len(p_values), dtype=np.bool_)
    rejected[start:] = np.logical_and.accumulate(passed)
    return rejected


def bonferroni(p_values: PValues, delta: float) -> Rejected:
    """Each at delta / n_hypotheses."""
    return np.asarray(p_values <= delta / max(1, len(p_values)))


def holm(p_values: PValues, delta: float) -> Rejected:
    """The k-th smallest, k from 1, at delta / (n_hypotheses - k + 1), until the first not rejected.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    order = np.argsort(p_values, kind="stable")
    levels = delta / np.arange(len(p_values), 0, -1)
    rejected = np.zeros(len(p_values), dtype=np.bool_)
    rejected[order] = np.logical_and.accumulate(p_values[order] <= levels)
    return rejected
