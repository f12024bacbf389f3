"""How a tail server listens, batches, and what it takes at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from offramp.errors import ConfigError
from offramp.runtime.models import Model

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_BYTES_IN_FLIGHT = 256 * 1024 * 1024
_ENVELOPE_BYTES = 1024  # names, parameters and framing around the rows of a request


@dataclass(frozen=True)
class TailSettings:
    """Settings of a `TailServer`.

    Args:
        host: the address to listen on; without TLS a loopback one, see `ServerSecurity`.
        port: 0 takes any free one.
        max_batch, max_wait_s: see `Batcher`.
        max_message_bytes: larger requests are refused with RESOURCE_EXHAUSTED.
        max_requests: so many calls may be in flight, more are refused with RESOURCE_EXHAUSTED.
        max_bytes_in_flight: that requests may take together, see `Room`; more are refused likewise.

    Raises:
        ConfigError: a setting outside its range.
    """

    host: str = "127.0.0.1"
    port: int = 0
    max_batch: int = 256
    max_wait_s: float = 0.002
    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_requests: int = 1024
    max_bytes_in_flight: int = MAX_BYTES_IN_FLIGHT

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port {self.port}; use 1 to 65535, or 0 for any free one")
        if self.max_batch < 1 or self.max_requests < 1:
            raise ConfigError(f"max_batch={self.max_batch}, max_requests={self.max_requests}; use at least 1")
        if not 0 <= self.max_wait_s <= 1:
            raise ConfigError(f"max_wait_s={self.max_wait_s}; use 0 to 1 second")
        if self.max_bytes_in_flight < self.max_message_bytes:
            raise ConfigError(
                f"max_bytes_in_flight={self.max_bytes_in_flight} holds no request of"
                f" max_message_bytes={self.max_message_bytes}; use at least as many"
            )

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def check_models(self, models: Iterable[Model]) -> None:
        """Raise ConfigError unless a request may hold a sample of each model."""
        needed = max((model.row_bytes for model in models), default=0) + _ENVELOPE_BYTES
        if self.max_message_bytes < needed:
            raise ConfigError(
                f"max_message_bytes={self.max_message_bytes} holds no single sample; use at least {needed}"
            )
