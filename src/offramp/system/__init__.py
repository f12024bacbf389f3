"""A split network as a whole: designed, taught, trained.

Modules that train import Torch, so import what is needed from them.
"""

AUTO = 0
"""A width that follows from the data."""

__all__ = ["AUTO"]
