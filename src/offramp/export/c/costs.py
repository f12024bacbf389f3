"""What a junction costs in C on a processor, by index encoding, and the encoding that costs least.

The prices are measurements: `python -m benchmarks.index_encodings` puts junctions of every kind
through the exporter, counts them under emulators and writes costs.csv. A count is a sum of terms:

| term | by output | by input |
|---|---|---|
| `junction` | once | once |
| `output` | each output | each output, begun and finished |
| `again` | each block row that is gone through more than once | |
| `value` | | each input, 0 or not |
| `given` | | each input that is not 0 |
| `entry` | each block of inputs (dense: each input), for all rows added together | each block of outputs |

They are given for blocks of r inputs (by output) or c outputs (by input), as `side`, and by the number of
rows that are added together.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from offramp.errors import ConfigError
from offramp.export.c.encodings import FARTHER, Encoding, Shape, encodings
from offramp.export.c.program import Choose
from offramp.export.c.streaming import StreamedJunction

Prefer = Literal["size", "speed"]
COSTS_FILE = Path(__file__).with_name("costs.csv")
TERMS = ("junction", "output", "again", "value", "given", "entry")

_TIE = 1.02
# What was not measured, because no such junction fits the processor, costs at least what this does.
_STAND_INS = {"farther": "delta", "delta": "u16", "u16": "u8"}


class Key(NamedTuple):
    """What a price is for."""

    target: str
    numbers: str
    way: str
    kind: str
    together: int
    side: int


class Price(NamedTuple):
    """Of each term, in the target's unit; and code: a junction's, and that of rows, which several share."""

    junction: float = 0
    output: float = 0
    again: float = 0
    value: float = 0
    given: float = 0
    entry: float = 0
    code_bytes: float = 0
    rows_bytes: float = 0

    def total(self, terms: Mapping[str, float]) -> float:
        """Instructions or cycles of a junction with so many of each term."""
        return float(sum(getattr(self, term) * n for term, n in terms.items()))


@dataclass(frozen=True, eq=False)
class Priced:
    """A way to write a junction, and its price.

    Args:
        encoding: None where it is written input by input.
        flash_bytes: weights, index and code.
        count: in the target's unit, without what becomes of the sums.
    """

    kind: str
    together: int
    encoding: Encoding | None
    weight_bytes: int
    index_bytes: int
    code_bytes: int
    rows_bytes: int
    count: int

    @property
    def flash_bytes(self) -> int:
        return self.weight_bytes + self.index_bytes + self.code_bytes + self.rows_bytes


@cache
def prices() -> Mapping[Key, Price]:
    """All that were measured."""
    rows = csv.DictReader(io.StringIO(COSTS_FILE.read_text(encoding="ascii")))
    found = {}
    for row in rows:
        key = Key(
            row["target"], row["numbers"], row["way"], row["kind"], int(row["together"]), int(row["side"])
        )
        found[key] = Price(**{name: float(row[name]) for name in Price._fields})
    return MappingProxyType(found)


def written(table: Mapping[Key, Price]) -> str:
    """Prices as costs.csv has them."""
    rows = [[*map(str, key), *(f"{value:g}" for value in table[key])] for key in sorted(table)]
    return "".join(",".join(row) + "\n" for row in [[*Key._fields, *Price._fields], *rows])


def priced_targets() -> tuple[str, ...]:
    """The targets that have prices."""
    return tuple(dict.fromkeys(key.target for key in prices()))


def check_target(name: str) -> None:
    """Raise ConfigError unless a target of this name has prices."""
    if name not in priced_targets():
        raise ConfigError(f"unknown target {name!r}; give one of {', '.join(priced_targets())}")


def candidates(shape: Shape, *, target: str) -> list[Priced]:
    """Every encoding that a junction can have, priced for a target.

    Raises:
        ConfigError: a target without prices.
    """
    return [_priced(shape, encoding, target) for encoding in encodings(shape)]


def choose(shape: Shape, *, target: str, prefer: Prefer = "size") -> Priced:
    """The candidate with the least flash, or the fastest; of nearly equal ones the faster, or the smaller.

    Raises:
        ConfigError: a target without prices.
    """
    return cheapest(candidates(shape, target=target), prefer)


def cheapest(ways: Iterable[Priced], prefer: Prefer) -> Priced:
    """Of several ways to write a junction; 2% of flash are nothing beside time, and the other way round."""

    def both(one: Priced) -> tuple[int, int]:
        return (one.flash_bytes, one.count) if prefer == "size" else (one.count, one.flash_bytes)

    known = list(ways)
    most = _TIE * min(both(one)[0] for one in known)
    return min((one for one in known if both(one)[0] <= most), key=lambda one: both(one)[::-1])


def chooser(target: str, *, prefer: Prefer = "size") -> Choose:
    """`choose` as `program` takes it."""
    return partial(_chosen, target=target, prefer=prefer)


def by_input(streamed: StreamedJunction, *, target: str, zero_share: float = 0.0) -> Priced:
    """The price of a junction that is written input by input.

    Args:
        zero_share: of the inputs of a sample; in integers they cost next to nothing.

    Raises:
        ConfigError: a target without prices.
    """
    shape, tables = streamed.junction.shape, streamed.table_bytes
    c = shape.block[1]
    kind = "dense" if streamed.index is None else "u8" if streamed.index.itemsize == 1 else "u16"
    side = 1 if kind == "dense" else c
    price = price_of(Key(target, _numbers(shape), "input", kind, 1, side))
    skipped = zero_share if _numbers(shape) == "int8" else 0.0  # float32 adds them too
    terms = input_terms(streamed, streamed.n_values * (1 - skipped))
    return Priced(
        f"{kind} by input",
        1,
        None,
        tables["weights"],
        tables["index"],
        round(price.code_bytes),
        round(price.rows_bytes),
        round(price.total(terms)),
    )


def price_of(key: Key) -> Price:
    """The price for any number of rows together and blocks of any side: on lines between those measured.

    Beyond, what an entry costs grows in proportion.

    Raises:
        ConfigError: a target without prices.
    """
    check_target(key.target)
    known = {one: price for one, price in prices().items() if one[:4] == key[:4]}
    if not known:
        return price_of(key._replace(kind=_STAND_INS[key.kind]))
    by_together = {
        together: _between(
            key.side, {one.side: price for one, price in known.items() if one.together == together}
        )
        for together in {one.together for one in known}
    }
    return _between(key.together, by_together)


def _between(at: int, known: Mapping[int, Price]) -> Price:
    places = sorted(known)
    columns = np.array([known[place] for place in places]).T
    price = Price(*(float(np.interp(at, places, column)) for column in columns))
    return price._replace(entry=price.entry * max(1.0, at / places[-1]))


def output_terms(shape: Shape, encoding: Encoding) -> dict[str, float]:
    """How many of each term a junction has, written output by output."""
    c, together = encoding.block[1], encoding.together
    again = shape.n_out // c if c > together and encoding.kind != "dense" else 0
    entries = shape.n_out // together * encoding.per_row
    return dict(zip(TERMS, (1, shape.n_out, again, 0, 0, entries), strict=True))


def input_terms(streamed: StreamedJunction, n_given: float) -> dict[str, float]:
    """The same, written input by input, of which so many are not 0."""
    shape = streamed.junction.shape
    c = 1 if streamed.index is None else shape.block[1]
    entries = n_given * streamed.weights.shape[1] // c
    return dict(zip(TERMS, (1, shape.n_out, 0, streamed.n_values, n_given, entries), strict=True))


def _chosen(shape: Shape, *, target: str, prefer: Prefer) -> Encoding:
    encoding = choose(shape, target=target, prefer=prefer).encoding
    assert encoding is not None
    return encoding


def _priced(shape: Shape, encoding: Encoding, target: str) -> Priced:
    r = encoding.block[0]
    far = encoding.kind == "delta" and encoding.index is not None and bool((encoding.index == FARTHER).any())
    kind = "farther" if far else encoding.kind
    price = price_of(Key(target, _numbers(shape), "output", kind, encoding.together, r))
    terms = output_terms(shape, encoding)
    return Priced(
        encoding.kind,
        encoding.together,
        encoding,
        encoding.weight_bytes,
        encoding.index_bytes,
        round(price.code_bytes),
        round(price.rows_bytes),
        round(price.total(terms)),
    )


def _numbers(shape: Shape) -> str:
    return "float32" if shape.rows.dtype == np.float32 else "int8"
