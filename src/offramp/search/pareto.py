"""Which networks are better than others when two things count: merit up, size down."""

from collections.abc import Sequence
from math import inf, log
from typing import NamedTuple


class Point(NamedTuple):
    """A network's merit (more is better) and its parameters (fewer are better)."""

    merit: float
    n_params: int


def front(points: Sequence[Point]) -> list[int]:
    """Positions of the points that no other beats, smallest network first; of equal points the first."""
    chosen: list[int] = []
    best = -inf
    for index in sorted(range(len(points)), key=lambda i: (points[i].n_params, -points[i].merit, i)):
        if points[index].merit > best:
            best = points[index].merit
            chosen.append(index)
    return chosen


def ranked(points: Sequence[Point]) -> list[int]:
    """Positions of all points, best first: front after front, within a front the loneliest first.

    The order of NSGA-II (Deb et al. 2002); distances in size are between logarithms.
    """
    left = list(range(len(points)))
    order: list[int] = []
    while left:
        members = [left[i] for i in front([points[i] for i in left])]
        order += _loneliest_first(points, members)
        left = [i for i in left if i not in set(members)]
    return order


def _loneliest_first(points: Sequence[Point], members: Sequence[int]) -> list[int]:
    """The members of one front, given by size, in the order of their distance to both neighbours."""
    if len(members) < 3:
        return list(members)[::-1]  # the most accurate first
    ends = points[members[0]], points[members[-1]]
    merit_range = ends[1].merit - ends[0].merit
    size_range = log(ends[1].n_params / ends[0].n_params)
    distance = {members[0]: inf, members[-1]: inf}
    for before, here, after in zip(members, members[1:], members[2:], strict=False):
        distance[here] = (points[after].merit - points[before].merit) / merit_range + (
            log(points[after].n_params / points[before].n_params) / size_range
        )
    return sorted(members, key=lambda i: (-distance[i], -points[i].merit))
