"""Small networks of every kind that exported C can be; their weights are chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from offramp.bundle import Bundle, LinearLayer, Part, Preprocessing, ReluLayer, SparseLinearLayer
from offramp.codec import Grid, fit_codec
from offramp.exits import ExitRule
from offramp.export.c import Encoding, Kind, Numbers, Program, Shape, encodings, program
from offramp.pattern import Pattern, affine, block
from offramp.plan.judgement.fitted_grids import fitted_grids
from offramp.runtime import edge_scores

Array = npt.NDArray[Any]
RULE = ExitRule(0.6)
N_FITTED = 64  # samples that grids and codecs are fitted to


@dataclass(frozen=True, kw_only=True)
class Junction:
    """Edges to a layer, with chance weights.

    Args:
        n_out: neurons.
        out_degree: None for a dense one.
        pattern: "steps" joins output i to inputs i and i + 255, which takes 512 inputs, 256 outputs and an
            out-degree of 1; "same" joins each output to the input of its number alone, with weight 1.
        largest: whether all weights are 1 at even outputs and -1 at odd ones.
    """

    n_out: int
    out_degree: int | None = None
    block: tuple[int, int] = (1, 1)
    pattern: Literal["random", "affine", "steps", "same"] = "random"
    bias: bool = True
    relu: bool = True
    largest: bool = False


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network and the form that it is written in.

    Args:
        name: of the case, and of the bundle.
        kind: the index of sparse junctions where they can have it; else the smallest.
        together: rows that are added up at once, at most.
        streaming: input by input; `pushed` also without a buffer.
        steps: of the grids behind the head's junctions, which then begin at 0; fitted ones otherwise.
        skewed: whether samples are mostly 0, as range coders like them.
    """

    name: str
    head: tuple[Junction, ...]
    exit: tuple[Junction, ...] = (Junction(n_out=5, relu=False),)
    encoder: tuple[Junction, ...] = ()
    tail: bool = False
    preprocessing: Preprocessing
    codec: str = "int8"
    rule: ExitRule = RULE
    numbers: Numbers = "int8"
    kind: Kind = "u8"
    together: int = 5
    streaming: bool = False
    pushed: bool = False
    steps: tuple[float, ...] = ()
    skewed: bool = False
    seed: int = 0

    def choose(self, shape: Shape) -> Encoding:
        """The encoding of this case."""
        made = list(encodings(shape))
        kind = self.kind if any(one.kind == self.kind for one in made) else smallest(shape).kind
        wanted = [one for one in made if one.kind == kind and one.together <= self.together]
        return max(wanted, key=lambda one: one.together)


def smallest(shape: Shape) -> Encoding:
    """The encoding of a junction that takes the least flash; of these, the one with most rows at once."""
    return min(encodings(shape), key=lambda one: (one.weight_bytes + one.index_bytes, -one.together))


def program_of(case: Case) -> Program:
    """The case, ready to be written."""
    return program(network(case), case.numbers, case.choose, streaming=case.streaming, tail=case.tail)


def network(case: Case) -> Bundle:
    """Its bundle, quantised on chance samples."""
    rng = np.random.default_rng(case.seed)
    n_classes = case.exit[-1].n_out
    head = _part(case.head, case.preprocessing.n_features, rng)
    encoder = _part(case.encoder, head.n_out, rng) if case.encoder else None
    sent = (encoder or head).n_out
    bundle = Bundle(
        name=case.name,
        preprocessing=case.preprocessing,
        classes=tuple(f"class {number}" for number in range(n_classes)),
        head=head,
        exit=_part(case.exit, head.n_out, rng),
        encoder=encoder,
        tail=_part((Junction(n_out=6), Junction(n_out=n_classes, relu=False)), sent, rng),
        exit_rule=case.rule,
    )
    samples = chance_samples(case, N_FITTED, rng)
    bundle = replace(bundle, codec=fit_codec(case.codec, edge_scores(bundle, samples)[1]))
    quantisation = fitted_grids(bundle, samples)
    if case.steps:
        widths = [junction.n_out for junction in case.head]
        made = [Grid(8, (0.0,) * n, (step,) * n) for n, step in zip(widths, case.steps, strict=True)]
        quantisation = replace(quantisation, grids={**quantisation.grids, "head": tuple(made)})
    return replace(bundle, quantisation=replace(quantisation, rule=case.rule))


def chance_samples(case: Case, n: int, rng: np.random.Generator) -> Array:
    """Raw samples (n, *shape)."""
    shape = (n, *case.preprocessing.shape)
    if case.preprocessing.dtype == "float32":
        return rng.standard_normal(shape, np.float32)
    samples = rng.integers(0, 256, shape, dtype=np.uint8)
    return np.where(rng.random(shape) < 0.9, samples // 128, samples) if case.skewed else samples


def _part(junctions: Sequence[Junction], n_in: int, rng: np.random.Generator) -> Part:
    layers: list[Any] = []
    arrays: dict[str, Array] = {}
    for junction in junctions:
        layer, own = _layer(junction, n_in, rng)
        arrays |= {f"{len(layers)}.{name}": array for name, array in own.items()}
        layers += [layer, ReluLayer()] if junction.relu else [layer]
        n_in = junction.n_out
    return Part(tuple(layers), arrays)


def _layer(junction: Junction, n_in: int, rng: np.random.Generator) -> tuple[Any, dict[str, Array]]:
    n_out, bias = junction.n_out, junction.bias
    own: dict[str, Array] = {}
    if junction.out_degree is None:
        layer: Any = LinearLayer(n_in, n_out, bias)
        own["weight"] = rng.standard_normal((n_out, n_in), np.float32)
    else:
        made = _pattern(junction, n_in)
        layer = SparseLinearLayer(n_in, n_out, junction.out_degree, junction.block, bias, made.digest())
        r, c = junction.block
        own["weight"] = rng.standard_normal((*made.table.shape, r * c), np.float32)
        own["table"] = made.table
    if junction.pattern == "same":
        own["weight"] = np.ones_like(own["weight"])
    if junction.largest:
        own["weight"][:] = np.where(np.arange(n_out) % 2, np.float32(-1), np.float32(1))[:, None]
    if bias:
        own["bias"] = rng.standard_normal(n_out, np.float32)
    return layer, own


def _pattern(junction: Junction, n_in: int) -> Pattern:
    n_out, degree = junction.n_out, junction.out_degree
    assert degree is not None
    if junction.pattern == "affine":
        return affine(n_in, n_out, degree, block=junction.block, seed=7)
    if junction.pattern == "random":
        return block(n_in, n_out, degree, block=junction.block, seed=7)
    table = np.arange(n_out)[:, None]
    if junction.pattern == "steps":
        table = np.concatenate([table, table + 255], axis=1)
        table[-1] = 510, 511
    return Pattern.from_table(n_in, n_out, table)
