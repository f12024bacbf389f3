"""Prices that explain counts."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from offramp.export.c.costs import TERMS, Key, Price

Row = dict[str, Any]  # a case: the fields of its Key, how many of each term, count, code_bytes, rows_bytes


class Fit(NamedTuple):
    """A price, and how well it explains n counts.

    Args:
        worst: the largest error, as a share of its count.
    """

    price: Price
    n: int
    r2: float
    worst: float


def fits(rows: Sequence[Row]) -> Mapping[Key, Fit]:
    """For every key among the rows."""
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(Key(*(row[name] for name in Key._fields)), []).append(row)
    return {key: _fitted(group) for key, group in groups.items()}


def _fitted(group: Sequence[Row]) -> Fit:
    """With the least relative errors."""
    terms = np.array([[row[term] for term in TERMS] for row in group], np.float64)
    counts = np.array([row["count"] for row in group], np.float64)
    used = terms.any(axis=0)
    found = np.zeros(len(TERMS))
    found[used] = np.linalg.lstsq(terms[:, used] / counts[:, None], np.ones(len(counts)), rcond=None)[0]
    error = terms @ found - counts
    r2 = 1 - float((error**2).sum() / ((counts - counts.mean()) ** 2).sum())
    code, shared = (
        round(float(np.mean([row[name] for row in group]))) for name in ("code_bytes", "rows_bytes")
    )
    price = Price(*(round(float(value), 2) for value in found), code, shared)
    return Fit(price, len(group), r2, float(np.abs(error / counts).max()))
