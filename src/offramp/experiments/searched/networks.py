"""Networks that searches found, and which of them is held against which dense row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from offramp.experiments.paper import PaperRow, n_parameters
from offramp.nn import MLP

FACTOR = 4
"""As many times fewer parameters than the dense row, at least."""


@dataclass(frozen=True)
class Network:
    """A network as a search describes it, and how it learns.

    Args:
        block: (r, c) wanted in the sparse junctions.
        pooling: side of the windows that images are averaged over first.
        distill_weight, temperature: of learning from a teacher; weight 0 is by labels alone.

    Equal are two that are the same network: the block of a dense one says nothing, nor does the temperature
    of one without a teacher.
    """

    neurons: tuple[int, ...]
    out_degrees: tuple[int, ...]
    block: tuple[int, int]
    pooling: int = 1
    distill_weight: float = 0.0
    temperature: float = 0.0

    def __post_init__(self) -> None:
        # What changes nothing makes no other network.
        if self.is_dense:
            object.__setattr__(self, "block", (1, 1))
        if not self.distill_weight:
            object.__setattr__(self, "temperature", 0.0)

    @property
    def parameters(self) -> int:
        """Edges and biases."""
        return n_parameters(self.neurons, self.out_degrees)

    @property
    def is_dense(self) -> bool:
        """Whether every edge there could be is there."""
        return self.out_degrees == self.neurons[1:]

    @property
    def pattern_name(self) -> str:
        """As records have it."""
        return "full" if self.is_dense else "block"

    @property
    def block_name(self) -> str:
        """As records have it: "4x4", empty for a dense network."""
        return "" if self.is_dense else "x".join(map(str, self.block))

    @property
    def name(self) -> str:
        """What messages and files call it."""
        taught = f"taught{self.distill_weight:g}at{self.temperature:g}" if self.distill_weight else ""
        shape = ("_".join(map(str, self.neurons)), "_".join(map(str, self.out_degrees)))
        return "-".join(part for part in (*shape, self.block_name, f"pool{self.pooling}", taught) if part)

    def model(self, *, seed: int) -> MLP:
        """The untrained network."""
        return MLP(self.neurons, self.out_degrees, pattern="block", block=self.block, seed=seed)


@dataclass(frozen=True)
class Find:
    """A network and its validation accuracy, in 0..1, after a search's longest training."""

    network: Network
    validation_accuracy: float


def choose(finds: Iterable[Find], rows: Sequence[PaperRow], *, factor: int = FACTOR) -> dict[int, Find]:
    """Row number -> of the networks that are so many times smaller the best by validation accuracy.

    Rows that no network is small enough for are left out; of equal accuracies the smaller network counts.
    """
    found = list(finds)
    chosen = {}
    for row in rows:
        small = [one for one in found if factor * one.network.parameters <= row.parameters]
        if small:
            chosen[row.number] = max(
                small, key=lambda one: (one.validation_accuracy, -one.network.parameters)
            )
    return chosen
