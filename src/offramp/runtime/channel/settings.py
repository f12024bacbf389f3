"""How bad a link is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from offramp.errors import ConfigError

MIN_RTO_S = 0.2  # Linux waits that long at least before it sends a segment again
SEGMENT_BYTES = 1460  # what a TCP segment carries over Ethernet
MIN_CUT_EVERY_S = 0.01


@dataclass(frozen=True)
class LinkSettings:
    """Properties of a link; each holds for both ways but `damage`.

    Loss is that of a TCP stream: no byte is missing, some are late. A segment of 1,460 bytes is lost with
    probability `loss`; what was read together with it waits for one retransmission, `rto_s`, and what follows
    on the same connection waits behind it. This is a model for short messages. It is too slow for a long
    transfer, which repeats a segment after one round trip, and too fast for a very bad link: a retransmission
    is never lost, takes no share of the rate, and no sender slows down.

    Args:
        bits_per_s: of all connections together; infinity for no limit.
        delay_s: one way.
        jitter_s: up to so much later, evenly distributed; nothing overtakes on its connection.
        loss: share of segments, 0 to 1.
        damage: share of the chunks coming from the target in which one byte is altered, 0 to 1.
        cut_every_s: all connections are reset that often; infinity for never.

    Raises:
        ConfigError: a value that cannot be.
    """

    bits_per_s: float = math.inf
    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    damage: float = 0.0
    cut_every_s: float = math.inf

    def __post_init__(self) -> None:
        if not self.bits_per_s > 0:
            raise ConfigError(f"bits_per_s={self.bits_per_s}; use a rate above 0")
        for name in ("delay_s", "jitter_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(f"{name}={getattr(self, name)}; use 0 or more seconds")
        for name in ("loss", "damage"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}={getattr(self, name)}; use a share from 0 to 1")
        if not self.cut_every_s >= MIN_CUT_EVERY_S:
            raise ConfigError(f"cut_every_s={self.cut_every_s}; use {MIN_CUT_EVERY_S} or more seconds")

    @property
    def rto_s(self) -> float:
        """How late a lost segment is: 200 ms, or two round trips where that is more."""
        return max(MIN_RTO_S, 4 * self.delay_s)

    @property
    def chunk_bytes(self) -> int:
        """About a millisecond's worth: connections take turns that often."""
        return int(min(max(self.bits_per_s / 8000, 1024), 65536))

    def share_late(self, n_bytes: int) -> float:
        """How probable it is that one of the segments of so many bytes is lost."""
        return 1 - (1 - self.loss) ** math.ceil(n_bytes / SEGMENT_BYTES)
