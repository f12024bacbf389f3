"""Successive halving: the better part of what was trained briefly is trained for longer."""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

from offramp.search.budget import Budget
from offramp.search.pareto import Point, front, ranked
from offramp.search.record import Entry

KEEP = 3  # one in three goes up


def promotions(entries: Collection[Entry], epochs: Sequence[int], budget: Budget) -> list[tuple[Entry, int]]:
    """Who is to be trained for longer, and for how many epochs.

    Of all that were trained on a rung, the best third by `ranked`, but those that were up already.

    Args:
        epochs: of the rungs, ascending.
    """
    chosen = []
    for here, above in pairwise(epochs):
        tried = [entry for entry in entries if here in entry.trainings]
        order = ranked(_points(tried, here, budget))[: math.ceil(len(tried) / KEEP)]
        chosen += [(tried[i], above) for i in order if above not in tried[i].trainings]
    return chosen


def best(entries: Collection[Entry], epochs: Sequence[int]) -> list[Entry]:
    """The Pareto front of the highest rung that anybody reached, smallest network first.

    Networks trained for less are not in it: their accuracies are of another kind.
    """
    for rung in reversed(epochs):
        if tried := [entry for entry in entries if rung in entry.trainings]:
            plain = [Point(entry.trainings[rung].accuracy, entry.candidate.n_params) for entry in tried]
            return [tried[i] for i in front(plain)]
    return []


def _points(entries: Sequence[Entry], rung: int, budget: Budget) -> list[Point]:
    return [
        Point(budget.merit(entry.trainings[rung].accuracy), entry.candidate.n_params) for entry in entries
    ]
