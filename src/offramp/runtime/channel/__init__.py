"""What a bad link does to a stream of bytes: how late, how much at once, what is altered. No sockets."""

from offramp.runtime.channel.held import HELD_BYTES, Held
from offramp.runtime.channel.lane import Lane
from offramp.runtime.channel.settings import LinkSettings

__all__ = ["HELD_BYTES", "Held", "Lane", "LinkSettings"]
