"""How an edge treats a tail that does not answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from offramp.errors import ConfigError


@dataclass(frozen=True)
class LinkPolicy:
    """When a tail is left alone, for how long, and when a request is sent twice.

    Args:
        failures_to_open: after so many requests in a row without an answer the tail is left alone; a
            connection that left so many without one is replaced.
        first_wait_s, longest_wait_s: then one request asks it again after a wait, which doubles from the one
            to the other while that fails too. Each wait is shortened by up to half of it, at random, so that
            the devices of a line do not come back all at once.
        hedge_after_s: without an answer for so long, the same request is sent over a second connection too,
            and the first believable answer counts; None for never.

    Raises:
        ConfigError: a value that cannot be.
    """

    failures_to_open: int = 3
    first_wait_s: float = 0.1
    longest_wait_s: float = 2.0
    hedge_after_s: float | None = None

    def __post_init__(self) -> None:
        if self.failures_to_open < 1:
            raise ConfigError(f"failures_to_open={self.failures_to_open}; use 1 or more requests")
        if not 0 < self.first_wait_s <= self.longest_wait_s < math.inf:
            raise ConfigError(
                f"first_wait_s={self.first_wait_s}, longest_wait_s={self.longest_wait_s};"
                " use seconds above 0, the first no longer than the longest"
            )
        if self.hedge_after_s is not None and not 0 < self.hedge_after_s < math.inf:
            raise ConfigError(f"hedge_after_s={self.hedge_after_s}; use seconds above 0, or None for never")
