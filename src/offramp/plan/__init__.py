"""What a network costs on the machine it runs on: measured, not guessed."""

from offramp.plan.speed import JunctionSpeed, measure_junction, measure_part

__all__ = ["JunctionSpeed", "measure_junction", "measure_part"]
