"""A network that may be trained, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from offramp.nn import MLP
from offramp.pattern import Junction, largest_block, table_dtype

_WEIGHT_BYTES = 4


@dataclass(frozen=True)
class Candidate:
    """An MLP of structured junctions on images averaged over windows first, and whom it learns from.

    Args:
        neurons: widths, input (zeros at its end included) and classes too.
        out_degrees: one for each junction; the next width makes it dense.
        block: (r, c) wanted; each sparse junction takes the largest that divides it and fits the degrees.
        pool: side of the windows.
        distill_weight: a teacher's share of what it learns, in 0..1; 0 is by labels alone.

    Raises:
        PatternError: a junction's outputs cannot share its edges equally.
    """

    neurons: tuple[int, ...]
    out_degrees: tuple[int, ...]
    block: tuple[int, int] = (1, 1)
    pool: int = 1
    distill_weight: float = 0.0

    def __post_init__(self) -> None:
        # Lists are what JSON gives back.
        for name in ("neurons", "out_degrees", "block"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _ = self.junctions

    @property
    def junctions(self) -> list[Junction]:
        """The junctions, input first."""
        widths = pairwise(self.neurons)
        return [Junction(*pair, degree) for pair, degree in zip(widths, self.out_degrees, strict=True)]

    @property
    def blocks(self) -> list[tuple[int, int] | None]:
        """The block of each junction; None for a dense one."""
        return [
            None
            if junction.out_degree == junction.n_out
            else largest_block(junction.n_in, junction.n_out, junction.out_degree, self.block)
            for junction in self.junctions
        ]

    @property
    def n_macs(self) -> int:
        """Multiply-adds for a sample: the edges."""
        return sum(junction.n_edges for junction in self.junctions)

    @property
    def n_params(self) -> int:
        """Weights and biases."""
        return self.n_macs + sum(self.neurons[1:])

    @property
    def n_bytes(self) -> int:
        """Of float32 weights and biases, and of the tables that say where the sparse ones stand."""
        tables = zip(self.junctions, self.blocks, strict=True)
        return _WEIGHT_BYTES * self.n_params + sum(
            junction.n_edges // (block[0] * block[1]) * table_dtype(junction.n_in // block[0]).itemsize
            for junction, block in tables
            if block is not None
        )

    def model(self, *, seed: int) -> MLP:
        """The network with the patterns of a seed, as `offramp train --pattern block` makes it."""
        return MLP(self.neurons, self.out_degrees, pattern="block", block=self.block, seed=seed)


def spelled(values: Sequence[int]) -> str:
    """As options take it: "800,40,10"."""
    return ",".join(map(str, values))
