"""Bundles: the on-disk form of a trained split network, written atomically and read without trust."""

from offramp.bundle.bundle import PARTS, Bundle
from offramp.bundle.layers import Layer, LinearLayer, ReluLayer, SparseLinearLayer
from offramp.bundle.part import Part
from offramp.bundle.preprocessing import Preprocessing
from offramp.bundle.store import check_writable, part_bytes, present, read, write

__all__ = [
    "PARTS",
    "Bundle",
    "Layer",
    "LinearLayer",
    "Part",
    "Preprocessing",
    "ReluLayer",
    "SparseLinearLayer",
    "check_writable",
    "part_bytes",
    "present",
    "read",
    "write",
]
