"""Edges that tell of themselves, the server that hears them, and the page that shows them."""

from offramp.runtime.fleet.dashboard import Dashboard
from offramp.runtime.fleet.registry import Fleet, Seen
from offramp.runtime.fleet.reporter import REPORT_EVERY_S, Reporter
from offramp.runtime.fleet.tally import EdgeTally

__all__ = ["REPORT_EVERY_S", "Dashboard", "EdgeTally", "Fleet", "Reporter", "Seen"]
