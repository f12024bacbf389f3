"""The 30 networks of the paper's Tables I and II: complete MLPs on MNIST, 784 pixels padded to 800 inputs.

Source: arXiv:2407.11763, Tables I and II. In the first two rows the paper has the two parameter counts
swapped; the order and all else is as printed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from offramp.errors import ConfigError

Kind = Literal["deep", "shallow", "sparse"]
KINDS: tuple[Kind, ...] = ("deep", "shallow", "sparse")


@dataclass(frozen=True)
class PaperRow:
    """A trained network as the paper prints it.

    Args:
        number: 1..30, through both tables.
        table: 1 or 2.
        kind: "deep" and "shallow" are dense, with three and two junctions; "sparse" has three.
        neurons, out_degrees: widths of all layers, out-degrees of all junctions.
        accuracy_percent: on the 10,000 test images.
        parameters_printed: as the paper has it.
    """

    number: int
    table: int
    kind: Kind
    neurons: tuple[int, ...]
    out_degrees: tuple[int, ...]
    accuracy_percent: float
    parameters_printed: int

    @property
    def parameters(self) -> int:
        """Edges and biases."""
        return n_parameters(self.neurons, self.out_degrees)

    @property
    def is_sparse(self) -> bool:
        return self.kind == "sparse"


def n_parameters(neurons: Sequence[int], out_degrees: Sequence[int]) -> int:
    """Edges and biases of an MLP."""
    return sum(n * degree for n, degree in zip(neurons, out_degrees, strict=False)) + sum(neurons[1:])


def _rows(table: int, first: int, text: str) -> tuple[PaperRow, ...]:
    """Rows from lines of `kind | neurons | out-degrees | accuracy | printed parameters`."""
    rows = []
    for number, line in enumerate(text.strip().splitlines(), start=first):
        kind, neurons, degrees, accuracy, printed = (cell.strip() for cell in line.split("|"))
        known: Kind = next(one for one in KINDS if one == kind)
        rows.append(
            PaperRow(
                number, table, known, _numbers(neurons), _numbers(degrees), float(accuracy), int(printed)
            )
        )
    return tuple(rows)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


TABLE_1 = """
deep    | 800 3 3 10   | 3 3 10   | 76.58 | 2443
shallow | 800 3 10     | 3 10     | 80.89 | 2455
sparse  | 800 40 40 10 | 2 9 10   | 93.93 | 2450
deep    | 800 5 5 10   | 5 5 10   | 90.69 | 4095
shallow | 800 5 10     | 5 10     | 89.84 | 4065
sparse  | 800 40 40 10 | 4 10 10  | 95.30 | 4090
deep    | 800 7 7 10   | 7 7 10   | 92.85 | 5743
shallow | 800 7 10     | 7 10     | 92.22 | 5687
sparse  | 800 40 40 10 | 6 11 10  | 95.89 | 5730
deep    | 800 14 14 10 | 14 14 10 | 95.35 | 11574
shallow | 800 14 10    | 14 10    | 95.44 | 11364
sparse  | 800 40 40 10 | 13 17 10 | 96.54 | 11570
deep    | 800 20 20 10 | 20 20 10 | 96.03 | 16650
shallow | 800 21 10    | 21 10    | 96.03 | 17041
sparse  | 800 40 40 10 | 19 24 10 | 96.98 | 16650
"""
TABLE_2 = """
deep    | 800 6 6 10   | 6 6 10   | 90.68 | 4918
shallow | 800 6 10     | 6 10     | 91.03 | 4876
sparse  | 800 40 40 10 | 5 11 10  | 95.65 | 4930
deep    | 800 10 10 10 | 10 10 10 | 94.59 | 8230
shallow | 800 10 10    | 10 10    | 94.00 | 8120
sparse  | 800 40 40 10 | 9 14 10  | 96.24 | 8250
deep    | 800 14 14 10 | 14 14 10 | 95.43 | 11574
shallow | 800 14 10    | 14 10    | 94.88 | 11364
sparse  | 800 40 40 10 | 13 17 10 | 96.72 | 11570
deep    | 800 28 28 10 | 28 28 10 | 96.79 | 23530
shallow | 800 29 10    | 29 10    | 96.79 | 23529
sparse  | 800 80 80 10 | 26 22 10 | 97.33 | 23530
deep    | 800 39 39 10 | 39 39 10 | 97.35 | 33199
shallow | 800 41 10    | 41 10    | 97.34 | 33261
sparse  | 800 80 80 10 | 37 33 10 | 97.75 | 33210
"""
PAPER_ROWS = _rows(1, 1, TABLE_1) + _rows(2, 16, TABLE_2)


def misprints(rows: Sequence[PaperRow] = PAPER_ROWS) -> list[PaperRow]:
    """The rows whose printed parameter count is not their edges and biases."""
    return [row for row in rows if row.parameters != row.parameters_printed]


def nearest_dense(row: PaperRow) -> tuple[PaperRow, PaperRow]:
    """The deep and the shallow row of the same table with the nearest parameters."""

    def nearest(kind: Kind) -> PaperRow:
        rows = [one for one in PAPER_ROWS if (one.table, one.kind) == (row.table, kind)]
        return min(rows, key=lambda one: abs(one.parameters - row.parameters))

    return nearest("deep"), nearest("shallow")


def select_rows(text: str) -> tuple[PaperRow, ...]:
    """The rows that a text names, in the paper's order: numbers, ranges, kinds, tables, with commas between.

    >>> [row.number for row in select_rows("1,5-7")]
    [1, 5, 6, 7]

    Raises:
        ConfigError: a word that names none.
    """
    chosen: set[int] = set()
    for word in text.lower().split(","):
        chosen |= _named(word.strip())
    return tuple(row for row in PAPER_ROWS if row.number in chosen)


def _named(word: str) -> set[int]:
    groups = {
        "all": {row.number for row in PAPER_ROWS},
        "dense": {row.number for row in PAPER_ROWS if not row.is_sparse},
        **{kind: {row.number for row in PAPER_ROWS if row.kind == kind} for kind in KINDS},
        **{f"table{n}": {row.number for row in PAPER_ROWS if row.table == n} for n in (1, 2)},
    }
    if word in groups:
        return groups[word]
    first, dash, last = word.partition("-")
    ends = (first, last if dash else first)
    if all(end.isdecimal() for end in ends):
        low, high = map(int, ends)
        if 1 <= low <= high <= len(PAPER_ROWS):
            return set(range(low, high + 1))
    raise ConfigError(
        f"rows: {word!r} names no row; use numbers 1 to {len(PAPER_ROWS)}, ranges as 5-7,"
        f" or {', '.join(groups)}"
    )
