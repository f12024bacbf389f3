"""The rule that decides, sample by sample, whether the exit answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from offramp.errors import ConfigError
from offramp.exits.confidence import max_softmax

CRITERIA = ("max_softmax",)
NEVER = 2.0  # no confidence reaches it; unlike infinity it can be written as JSON


@dataclass(frozen=True)
class ExitRule:
    """Sure when the confidence is at least `threshold`.

    Args:
        threshold: 0 or more; 0 always exits, anything above 1 never does.
        criterion: what confidence means, one of CRITERIA.
        evidence: how the threshold was chosen and on what (JSON values only), for whoever reads the bundle.

    Raises:
        ConfigError: a threshold or criterion that cannot be.
    """

    threshold: float
    criterion: str = "max_softmax"
    evidence: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise ConfigError(
                f"exit threshold {self.threshold}; use a confidence in [0, 1], or {NEVER} to never exit"
            )
        if self.criterion not in CRITERIA:
            raise ConfigError(f"unknown exit criterion {self.criterion!r}; use one of {', '.join(CRITERIA)}")

    def sure(self, scores: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which rows of scores (N, n_classes) the exit may answer: (N,) booleans. NaN is never sure."""
        return max_softmax(scores) >= self.threshold
