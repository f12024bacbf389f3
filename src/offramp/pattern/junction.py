"""Junction arithmetic: the degrees and densities that two layers allow (arXiv:2407.11763, eq. 1-6)."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import pairwise
from math import gcd

from offramp.errors import PatternError

_MAX_LISTED = 8


def whole_number(name: str, value: int, *, at_least: int = 1) -> int:
    """The value as a Python int, or a PatternError that names it."""
    try:
        number = operator.index(value)
    except TypeError:
        number = at_least - 1
    if number < at_least:
        raise PatternError(f"{name}={value!r} is not usable; give a whole number, {at_least} or more")
    return number


@dataclass(frozen=True)
class Junction:
    """The connections between two adjacent layers, when every neuron of a layer has as many as the next.

    Args:
        n_in, n_out: neurons before and after the junction.
        out_degree: edges leaving each input neuron, 1..n_out.

    Raises:
        PatternError: the outputs cannot share the edges equally.
    """

    n_in: int
    n_out: int
    out_degree: int

    def __post_init__(self) -> None:
        for field in fields(self):
            least = 0 if field.name == "out_degree" else 1  # 0 gets the better message below
            number = whole_number(field.name, getattr(self, field.name), at_least=least)
            object.__setattr__(self, field.name, number)
        feasible = feasible_out_degrees(self.n_in, self.n_out)
        if self.out_degree in feasible:
            return
        use = _nearest(feasible, self.out_degree)
        if not 1 <= self.out_degree <= self.n_out:
            raise PatternError(f"out_degree={self.out_degree} is outside 1..{self.n_out} (n_out); use {use}")
        step = self.n_out // gcd(self.n_out, self.out_degree)
        padded = -(-self.n_in // step) * step
        raise PatternError(
            f"out_degree={self.out_degree} gives {self.n_edges} edges, which {self.n_out} outputs"
            f" cannot share equally; use {use}, or pad n_in={self.n_in} to {padded}"
        )

    @property
    def n_edges(self) -> int:
        """Edges of the junction (eq. 1)."""
        return self.n_in * self.out_degree

    @property
    def in_degree(self) -> int:
        """Edges entering each output neuron (eq. 1)."""
        return self.n_edges // self.n_out

    @property
    def density(self) -> float:
        """Edges / (n_in · n_out), in (0, 1] (eq. 2 and 3)."""
        return self.out_degree / self.n_out


def in_degree(n_in: int, n_out: int, *, out_degree: int) -> int:
    """Edges entering each output neuron of a structured junction.

    Raises:
        PatternError: the edges cannot be shared equally.

    Source: arXiv:2407.11763, section III, eq. 1.
    """
    return Junction(n_in, n_out, out_degree).in_degree


def edge_count(n_in: int, n_out: int, *, out_degree: int) -> int:
    """Edges of a structured junction (eq. 1)."""
    return Junction(n_in, n_out, out_degree).n_edges


def density(n_in: int, n_out: int, *, out_degree: int) -> float:
    """Density of a structured junction, in (0, 1] (eq. 2 and 3)."""
    return Junction(n_in, n_out, out_degree).density


def overall_density(neurons: Sequence[int], out_degrees: Sequence[int]) -> float:
    """Edges of a whole MLP / edges of its dense twin, in (0, 1] (eq. 6).

    Args:
        neurons: widths of the layers, input first.
        out_degrees: one for each junction, so one fewer than `neurons`.
    """
    if len(neurons) < 2 or len(out_degrees) != len(neurons) - 1:
        raise PatternError(
            f"{len(neurons)} layers with {len(out_degrees)} out-degrees do not match;"
            " give two layers or more, and one out-degree for each junction between them"
        )
    junctions = [
        Junction(n_in, n_out, degree)
        for (n_in, n_out), degree in zip(pairwise(neurons), out_degrees, strict=True)
    ]
    return sum(j.n_edges for j in junctions) / sum(j.n_in * j.n_out for j in junctions)


def feasible_out_degrees(n_in: int, n_out: int) -> range:
    """Every out-degree that a structured junction of these widths can have, ascending (eq. 4)."""
    n_in, n_out = whole_number("n_in", n_in), whole_number("n_out", n_out)
    step = n_out // gcd(n_in, n_out)
    return range(step, n_out + 1, step)


def feasible_densities(n_in: int, n_out: int) -> list[Fraction]:
    """Every density that a structured junction of these widths can have, exact, ascending (eq. 5)."""
    return [Fraction(degree, n_out) for degree in feasible_out_degrees(n_in, n_out)]


def either(choices: Sequence[int]) -> str:
    """The choices as a phrase: "25, 50 or 100"."""
    *head, last = map(str, choices)
    return f"{', '.join(head)} or {last}" if head else last


def _nearest(feasible: range, wanted: int) -> str:
    """The feasible degrees as a phrase; where they are many, the neighbours of the wanted one."""
    if len(feasible) <= _MAX_LISTED:
        return either(feasible)
    if feasible.step == 1:
        return f"1 to {feasible[-1]}"
    above = min(max(wanted // feasible.step, 1), len(feasible) - 1)  # index of the first one above
    near = either(feasible[above - 1 : above + 1]).replace(" or ", ", ")
    return f"{near} or another multiple of {feasible.step} up to {feasible[-1]}"
