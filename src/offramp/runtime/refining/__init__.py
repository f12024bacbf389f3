"""An edge with two answers: the exit's now, the tail's later, exactly once and through any crash."""

from offramp.runtime.refining.aio import AsyncRefiningEdge
from offramp.runtime.refining.edge import RefiningEdge
from offramp.runtime.refining.refined import Refined
from offramp.runtime.refining.settings import RefiningSettings

__all__ = ["AsyncRefiningEdge", "Refined", "RefiningEdge", "RefiningSettings"]
