"""Junction arithmetic and the generators of structured sparse patterns. NumPy only."""

from offramp.pattern.affine import affine
from offramp.pattern.auto import BLOCK_COSTS, LARGE_BLOCK, auto, fastest_block
from offramp.pattern.clash_free import clash_free
from offramp.pattern.full import full
from offramp.pattern.junction import (
    Junction,
    density,
    edge_count,
    feasible_densities,
    feasible_out_degrees,
    in_degree,
    overall_density,
)
from offramp.pattern.pattern import Pattern, Table, largest_block, table_dtype
from offramp.pattern.random_regular import block, random
from offramp.pattern.spec import PATTERN_KINDS, PatternSpec

__all__ = [
    "BLOCK_COSTS",
    "LARGE_BLOCK",
    "PATTERN_KINDS",
    "Junction",
    "Pattern",
    "PatternSpec",
    "Table",
    "affine",
    "auto",
    "block",
    "clash_free",
    "density",
    "edge_count",
    "fastest_block",
    "feasible_densities",
    "feasible_out_degrees",
    "full",
    "in_degree",
    "largest_block",
    "overall_density",
    "random",
    "table_dtype",
]
