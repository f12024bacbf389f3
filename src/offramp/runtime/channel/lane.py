"""One direction of a link, as arithmetic: when bytes arrive, and which are altered. No socket, no clock."""

from __future__ import annotations

from random import Random

from offramp.runtime.channel.settings import LinkSettings


class Lane:
    """One direction. Arrivals follow from a virtual clock, so sleeping too long does not add up.

    Args:
        rng: decides on jitter, loss and damage.
        damages: whether `settings.damage` holds for this direction.
    """

    def __init__(self, settings: LinkSettings, rng: Random, *, damages: bool = False) -> None:
        self._settings = settings
        self._rng = rng
        self._damages = damages
        self._free_at = 0.0
        self.n_bytes = 0
        self.n_late = 0  # chunks that waited for a retransmission
        self.n_damaged = 0

    @property
    def chunk_bytes(self) -> int:
        """How much enters at once."""
        return self._settings.chunk_bytes

    def enter(self, chunk: bytes, now: float) -> tuple[float, bytes]:
        """When bytes that enter the lane now have arrived, and how; empty ones for the end of a stream."""
        settings, rng = self._settings, self._rng
        self.n_bytes += len(chunk)
        self._free_at = max(self._free_at, now) + len(chunk) * 8 / settings.bits_per_s
        due = self._free_at + settings.delay_s
        if settings.jitter_s:
            due += rng.uniform(0, settings.jitter_s)
        if rng.random() < settings.share_late(len(chunk)):
            self.n_late += 1
            due += settings.rto_s
        return due, self._damaged(chunk) if self._damages else chunk

    def change(self, settings: LinkSettings, now: float) -> None:
        """Other settings for what enters from now on.

        What has entered keeps its times. What of it is still to be sent keeps the lane busy for as long as it
        takes at the new rate.
        """
        backlog_s = max(0.0, self._free_at - now)
        if backlog_s > 0:
            backlog_s *= self._settings.bits_per_s / settings.bits_per_s
        self._free_at = now + backlog_s
        self._settings = settings

    def clear(self) -> None:
        """Forget what is still to be sent."""
        self._free_at = 0.0

    def _damaged(self, chunk: bytes) -> bytes:
        if not chunk or self._rng.random() >= self._settings.damage:
            return chunk
        self.n_damaged += 1
        altered = bytearray(chunk)
        altered[self._rng.randrange(len(chunk))] ^= self._rng.randint(1, 255)
        return bytes(altered)
