"""Train sparse, split anywhere, exit early."""

from importlib.metadata import version

__version__ = version("offramp")
