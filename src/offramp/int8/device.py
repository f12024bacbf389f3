"""Head, exit and encoder of a bundle in integers: from raw samples to verdicts, and to bytes on the wire.

This is the reference: what docs/formats/int8.md says, in NumPy. The exported C gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle, Part, Preprocessing, Quantisation
from offramp.codec import Grid, GriddedCodec
from offramp.errors import ConfigError, DataError
from offramp.int8.confidence import IntegerRule
from offramp.int8.junction import IntegerJunction
from offramp.int8.quantise import Values, integer_junctions
from offramp.int8.scaling import Integers, Symbols

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Inputs:
    """From raw samples to the symbols that the head reads.

    Args:
        preprocessing: of the bundle.
        grid: of all network inputs; None for samples of bytes.
    """

    preprocessing: Preprocessing
    grid: Grid | None

    def __call__(self, raw: npt.NDArray[Any]) -> Symbols:
        """Symbols (n, n_features) of raw samples (n, *shape).

        Raises:
            DataError: another shape or type; NaN or infinity in a sample.
        """
        if self.grid is not None:
            values = self.preprocessing(raw)
            return self._grid_of(values.shape[1]).symbols(values)
        rule = self.preprocessing
        if raw.shape[1:] != rule.shape or raw.dtype != np.uint8:
            raise DataError(
                f"samples are {raw.dtype} {raw.shape}; this network takes uint8"
                f" (N, {', '.join(map(str, rule.shape))}), a single sample as N = 1"
            )
        symbols = np.zeros((len(raw), rule.n_features), np.uint8)
        symbols[:, : rule.n_values] = _pooled(raw, rule.pool).reshape(len(raw), -1)
        return symbols

    @property
    def values(self) -> Values:
        """What the symbols stand for; those beyond the sample's values for nothing."""
        rule = self.preprocessing
        low, step = np.zeros(rule.n_features), np.zeros(rule.n_features)
        if self.grid is not None:
            low[: rule.n_values], step[: rule.n_values] = self.grid.low, self.grid.step
        else:
            offset = np.asarray(rule.offset, np.float32).astype(np.float64)
            step[: rule.n_values] = np.asarray(rule.scale, np.float32)
            low[: rule.n_values] = -(offset * step[: rule.n_values])
        return Values(low, step)

    def _grid_of(self, width: int) -> Grid:
        assert self.grid is not None
        return Grid(8, self.grid.low * width, self.grid.step * width)


def _pooled(raw: npt.NDArray[np.uint8], pool: int) -> npt.NDArray[np.uint8]:
    """Means of pool x pool windows, half up; in integers."""
    if pool == 1:
        return raw
    total = np.zeros((len(raw), raw.shape[1] // pool, raw.shape[2] // pool), np.int64)
    for i in range(pool):
        for k in range(pool):
            total += raw[:, i::pool, k::pool]
    n = pool * pool
    return ((total + n // 2) // n).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class IntegerDevice:
    """The parts of a bundle that run on the device, in integers.

    Args:
        bundle: quantised, with a head; exit and encoder as far as they are there.

    Raises:
        ConfigError: no head or no quantisation, inner exits, or layers and grids that do not go together.
    """

    bundle: Bundle

    def __post_init__(self) -> None:
        if self.bundle.quantisation is None:
            raise ConfigError(
                f"bundle {self.bundle.name!r} is not quantised; run: offramp quantise, with its folder"
            )
        if inner := self.bundle.inner_exits:
            raise ConfigError(
                f"bundle {self.bundle.name!r} has the inner exit {inner[0].name}; a device in integers knows"
                " the exit at the cut only, train without inner exits"
            )

    @property
    def quantisation(self) -> Quantisation:
        """The bundle's."""
        assert self.bundle.quantisation is not None, "seen to when this was made"
        return self.bundle.quantisation

    @cached_property
    def inputs(self) -> Inputs:
        return Inputs(self.bundle.preprocessing, self.quantisation.input)

    @cached_property
    def head(self) -> tuple[IntegerJunction, ...]:
        return self._part("head", self.inputs.values)

    @cached_property
    def exit(self) -> tuple[IntegerJunction, ...]:
        return self._part("exit", self._features, scores=True)

    @cached_property
    def encoder(self) -> tuple[IntegerJunction, ...]:
        """Empty where the features themselves are sent."""
        return self._part("encoder", self._features) if self.bundle.encoder_digest else ()

    @cached_property
    def rule(self) -> IntegerRule:
        unit = float(self.exit[-1].unit[0])
        return IntegerRule(self.quantisation.rule, unit, len(self.bundle.classes))

    @property
    def largest_sums(self) -> dict[str, list[int]]:
        """By part, for each of its junctions: no partial sum is larger in size, whatever the sample."""
        parts, found = {"head": self.head, "exit": self.exit, "encoder": self.encoder}, {}
        for name, junctions in parts.items():
            reads = self.inputs.values if name == "head" else self._features
            limits = [reads.limit, *(j.scaling.limit for j in junctions if j.scaling is not None)]
            found[name] = [j.largest_sum(limit) for j, limit in zip(junctions, limits, strict=False)]
        return {name: sums for name, sums in found.items() if sums}

    @property
    def as_bundle(self) -> Bundle:
        """The bundle with the integer exit's rule in the place of the float32 one."""
        return replace(self.bundle, exit_rule=self.quantisation.rule)

    def real(self, scores: Integers) -> npt.NDArray[np.float64]:
        """Scores of the exit in the measure of the float32 ones, with all their differences."""
        return np.asarray(scores * self.rule.unit)

    @property
    def sent_grid(self) -> Grid:
        """Of the values that are sent."""
        codec = self.bundle.codec
        if isinstance(codec, GriddedCodec):
            return codec.grid
        return self._grids("encoder" if self.bundle.encoder_digest else "head")[-1]

    @property
    def _features(self) -> Values:
        return Values.of(self._grids("head")[-1])

    def _grids(self, name: str) -> tuple[Grid, ...]:
        """Of everything that a part's junctions give, but for scores."""
        given = tuple(self.quantisation.grids.get(name, ()))
        sent = "encoder" if self.bundle.encoder_digest else "head"
        if name == sent and isinstance(self.bundle.codec, GriddedCodec):
            return (*given, self.bundle.codec.grid)
        return given

    def _part(self, name: str, reads: Values, *, scores: bool = False) -> tuple[IntegerJunction, ...]:
        part: Part | None = self.bundle.parts.get(name)
        if part is None:
            raise ConfigError(
                f"bundle {self.bundle.name!r} has no {name} here; copy its file into the folder"
            )
        return integer_junctions(name, part, reads, self._grids(name), scores=scores)

    def trace(self, raw: npt.NDArray[Any]) -> Trace:
        """Everything that is computed on the way."""
        x = self.inputs(raw)
        head = run(self.head, x)
        exit = run(self.exit, head[-1])
        encoder = run(self.encoder, head[-1]) if self.encoder else []
        return Trace(x, head, exit, encoder)

    def coded(self, symbols: Symbols) -> list[bytes]:
        """The bytes on the wire of symbols (n, n_sent) of what is sent."""
        codec = self.bundle.codec
        if isinstance(codec, GriddedCodec):
            return codec.encode_symbols(symbols)
        return codec.encode_rows(self.values(symbols))

    def values(self, symbols: Symbols) -> FloatArray:
        """What symbols (n, n_sent) of what is sent stand for, float32: a product, then a sum."""
        return self.sent_grid.place(symbols.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Trace:
    """What a device computed for n samples.

    Args:
        inputs: symbols (n, n_features).
        head, encoder: symbols (n, n_out) of every junction, in order; no encoder, none of its own.
        exit: the same of the exit, and its scores (n, n_classes).
    """

    inputs: Symbols
    head: list[Symbols]
    exit: list[Any]
    encoder: list[Symbols]

    @property
    def features(self) -> Symbols:
        """At the cut."""
        return self.head[-1]

    @property
    def scores(self) -> Integers:
        """Of the exit."""
        scores: Integers = self.exit[-1]
        return scores

    @property
    def sent(self) -> Symbols:
        """Of what is coded and sent."""
        return (self.encoder or self.head)[-1]


def run(junctions: Sequence[IntegerJunction], symbols: Symbols) -> list[Any]:
    """What each junction gives, one after the other."""
    given: list[Any] = []
    for junction in junctions:
        given.append(junction(given[-1] if given else symbols))
    return given
