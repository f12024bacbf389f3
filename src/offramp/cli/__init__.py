"""The command line of offramp, one file per command."""

from offramp.cli.app import app
from offramp.cli.entry import main

__all__ = ["app", "main"]
