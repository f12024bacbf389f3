"""The models of a bundle on Ray actors, when one process is not enough. Ray is imported when it is used."""

from offramp.runtime.ray_tails.tails import RayTails

__all__ = ["RayTails"]
