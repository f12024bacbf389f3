"""The networks that are held against one another for a sparse row of the paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Literal, NamedTuple

from offramp.errors import ConfigError
from offramp.experiments.paper import PaperRow, n_parameters, nearest_dense
from offramp.nn import MLP
from offramp.pattern import feasible_out_degrees

Kind = Literal["structured", "baseline", "dense"]

BLOCK = (4, 4)  # wanted; each junction takes the largest that its degrees allow
POOL = 2  # side of the windows that pooled networks average over
_WIDENED = (1, 2, 4, 8)


class Method(NamedTuple):
    """A way to a trained network.

    Args:
        kind: "structured": an offramp network whose pattern has exact degrees; "baseline": masked dense
            weights, which no layer of offramp can store; "dense".
    """

    name: str
    kind: Kind
    meaning: str


_METHODS = (
    Method("random", "structured", "the row itself: a random pattern with exact degrees, as published"),
    Method("block", "structured", "blocks of 4×4 edges where the degrees allow them, else smaller ones"),
    Method("affine", "structured", "an index-free pattern: edge e begins at input (a·e + b) mod n"),
    Method("clash_free", "structured", "the memory-friendly patterns of Dey et al., type 1"),
    Method(
        "unstructured",
        "baseline",
        "as many edges in each junction, drawn uniformly, whatever the degrees",
    ),
    Method(
        "pruned",
        "baseline",
        "a dense network of the row's widths, trained; then of each junction only the largest weights, as"
        " many as the row has edges, are kept and trained for half as many epochs more",
    ),
    Method(
        "rigl",
        "baseline",
        "edges that move while training (Evci et al. 2020): the smallest weights are dropped, and as many"
        " edges grow where the gradient is largest",
    ),
    Method("deep", "dense", "the dense row of the table with three junctions and the nearest parameters"),
    Method("shallow", "dense", "the dense row of the table with two junctions and the nearest parameters"),
    Method(
        "pooled_sparse",
        "structured",
        "the row on images averaged over 2×2 windows, random pattern: its hidden widths and out-degrees, and"
        " the densest head within its parameters; widths doubled until that is at most half dense",
    ),
    Method(
        "pooled_dense",
        "dense",
        "a dense network on images averaged over 2×2 windows: as deep as the row, its hidden layers equal and"
        " the widest within the row's parameters",
    ),
)
# Those with the neurons of the row, and its edges in each junction.
ALIKE = ("random", "block", "affine", "clash_free", "unstructured", "pruned", "rigl")
METHODS = {method.name: method for method in _METHODS}


@dataclass(frozen=True)
class Contender:
    """A network to be trained for a row.

    Args:
        method: one of METHODS.
        neurons, out_degrees: of a baseline, whose neurons differ, the out-degrees are means.
        pool: side of the windows that images are averaged over; 1 for none.
    """

    row: PaperRow
    method: str
    neurons: tuple[int, ...]
    out_degrees: tuple[int, ...]
    pool: int = 1

    @property
    def kind(self) -> Kind:
        return METHODS[self.method].kind

    @property
    def pattern(self) -> str:
        """The generator's name; "unstructured" for baselines, "full" for dense networks."""
        if self.kind == "structured":
            return "random" if self.pool > 1 else self.method
        return "full" if self.kind == "dense" else "unstructured"

    @property
    def block(self) -> tuple[int, int] | None:
        """That is wanted."""
        return BLOCK if self.pattern == "block" else None

    @property
    def n_edges(self) -> tuple[int, ...]:
        """Of each junction."""
        return tuple(n * degree for n, degree in zip(self.neurons, self.out_degrees, strict=False))

    @property
    def parameters(self) -> int:
        """Edges and biases."""
        return n_parameters(self.neurons, self.out_degrees)

    def model(self, seed: int) -> MLP:
        """The untrained network of a structured or a dense contender."""
        if self.kind == "dense":
            return MLP(self.neurons)
        return MLP(self.neurons, self.out_degrees, pattern=self.pattern, block=self.block, seed=seed)


def contenders(row: PaperRow) -> tuple[Contender, ...]:
    """All that a sparse row is held against, itself first, in the order of METHODS.

    Raises:
        ConfigError: a dense row.
    """
    if not row.is_sparse:
        raise ConfigError(
            f"row {row.number} is {row.kind}, and sparse rows are compared; its dense rows come by themselves"
        )
    return (
        *(Contender(row, method, row.neurons, row.out_degrees) for method in ALIKE),
        *(Contender(row, one.kind, one.neurons, one.out_degrees) for one in nearest_dense(row)),
        Contender(row, "pooled_sparse", *_pooled_sparse(row), pool=POOL),
        Contender(row, "pooled_dense", *_pooled_dense(row), pool=POOL),
    )


_Shape = tuple[tuple[int, ...], tuple[int, ...]]  # neurons, out-degrees


def _pooled_sparse(row: PaperRow) -> _Shape:
    """By the rule in METHODS; where doubling leaves no head within the parameters, the one before."""
    found: _Shape | None = None
    for times in _WIDENED:
        neurons = _pooled_neurons(row, [times * width for width in row.neurons[1:-1]])
        shapes = [(neurons, (degree, *row.out_degrees[1:])) for degree in feasible_out_degrees(*neurons[:2])]
        fitting = [shape for shape in shapes if n_parameters(*shape) <= row.parameters]
        if not fitting:
            break
        found = fitting[-1]
        if 2 * found[1][0] <= neurons[1]:
            break
    assert found is not None  # without widening, the row's own edges can be shared equally, or all of fewer
    return found


def _pooled_dense(row: PaperRow) -> _Shape:
    shapes = (_pooled_neurons(row, [width] * len(row.neurons[1:-1])) for width in count(1))
    *_, widest = takewhile(lambda neurons: n_parameters(neurons, neurons[1:]) <= row.parameters, shapes)
    return widest, widest[1:]


def _pooled_neurons(row: PaperRow, hidden: Sequence[int]) -> tuple[int, ...]:
    return (row.neurons[0] // POOL**2, *hidden, row.neurons[-1])
