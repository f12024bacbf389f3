"""How hard an edge tries to have its provisional answers refined."""

from __future__ import annotations

import math
from dataclasses import dataclass

from offramp.errors import ConfigError


@dataclass(frozen=True)
class RefiningSettings:
    """What happens in the background of a `RefiningEdge`; nobody waits for it.

    Args:
        deadline_s: the longest that reaching the tail and its answer to one request may take together.
        max_batch: samples in one request at most. Those that come while a request is under way go together in
            the next one; after a request that had no answer in time they are half as many.
        refine_within_s: a sample without an answer for so long is given up, its provisional answer stands;
            infinity for never.
        max_refusals: a sample that the tail refused so often, while it answered others, is given up.

    Raises:
        ConfigError: a setting outside its range.
    """

    deadline_s: float = 5.0
    max_batch: int = 64
    refine_within_s: float = math.inf
    max_refusals: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.deadline_s < 3600:
            raise ConfigError(f"deadline_s={self.deadline_s}; use a number of seconds above 0, below 3600")
        for name in ("max_batch", "max_refusals"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)}; use 1 or more")
        if not self.refine_within_s > 0:
            raise ConfigError(f"refine_within_s={self.refine_within_s}; use a number of seconds above 0")
