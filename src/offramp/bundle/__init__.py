"""Bundles: the on-disk form of a trained split network, written atomically and read without trust."""

from offramp.bundle.bundle import Bundle, InnerExit, inner_exits
from offramp.bundle.layers import Layer, LinearLayer, ReluLayer, SparseLinearLayer
from offramp.bundle.names import HEAD_DIGEST_KEY, PARTS, Place
from offramp.bundle.part import Part
from offramp.bundle.preprocessing import Preprocessing
from offramp.bundle.quantisation import Quantisation
from offramp.bundle.store import (
    MANIFEST,
    check_exits,
    check_writable,
    part_bytes,
    present,
    read,
    read_terms,
    write,
)
from offramp.bundle.terms import Terms

__all__ = [
    "HEAD_DIGEST_KEY",
    "MANIFEST",
    "PARTS",
    "Bundle",
    "InnerExit",
    "Layer",
    "LinearLayer",
    "Part",
    "Place",
    "Preprocessing",
    "Quantisation",
    "ReluLayer",
    "SparseLinearLayer",
    "Terms",
    "check_exits",
    "check_writable",
    "inner_exits",
    "part_bytes",
    "present",
    "read",
    "read_terms",
    "write",
]
