"""The layers of a part: what they are, and the arrays that each of them owns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import msgspec
import numpy as np

from offramp.errors import BundleError, PatternError
from offramp.pattern import Junction, table_dtype

# Tables hold block numbers of at most 31 bits, so no layer can be wider.
Width = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
ArrayForm = tuple[np.dtype[np.generic], tuple[int, ...]]  # dtype in memory, shape

FLOAT32 = np.dtype(np.float32)


class SparseLinearLayer(
    msgspec.Struct, frozen=True, tag="sparse_linear", tag_field="kind", forbid_unknown_fields=True
):
    """A junction that stores its edges only; `pattern_digest` names the pattern its table must hold.

    Raises:
        PatternError: the degrees are infeasible, or the block (inputs, outputs) does not divide them.
    """

    n_in: Width
    n_out: Width
    out_degree: Width
    block: tuple[Width, Width]
    bias: bool
    pattern_digest: Digest

    def __post_init__(self) -> None:
        r, c = self.block
        if r < 1 or c < 1 or self.n_in % r or self.in_degree % r or self.n_out % c or self.out_degree % c:
            raise PatternError(
                f"block {r}x{c} in a junction of {self.n_in} inputs with out_degree {self.out_degree} and"
                f" {self.n_out} outputs with in_degree {self.in_degree}; it must divide all four"
            )

    @property
    def junction(self) -> Junction:
        return Junction(self.n_in, self.n_out, self.out_degree)

    @property
    def n_edges(self) -> int:
        return self.junction.n_edges

    @property
    def in_degree(self) -> int:
        return self.junction.in_degree

    def array_forms(self) -> dict[str, ArrayForm]:
        r, c = self.block
        rows, columns = self.n_out // c, self.in_degree // r
        forms: dict[str, ArrayForm] = {
            "weight": (FLOAT32, (rows, columns, r * c)),
            "table": (table_dtype(self.n_in // r), (rows, columns)),
        }
        return forms | ({"bias": (FLOAT32, (self.n_out,))} if self.bias else {})


class LinearLayer(msgspec.Struct, frozen=True, tag="linear", tag_field="kind", forbid_unknown_fields=True):
    """A dense junction; its weight is (n_out, n_in), as in Torch."""

    n_in: Width
    n_out: Width
    bias: bool

    @property
    def n_edges(self) -> int:
        return self.n_in * self.n_out

    def array_forms(self) -> dict[str, ArrayForm]:
        forms: dict[str, ArrayForm] = {"weight": (FLOAT32, (self.n_out, self.n_in))}
        return forms | ({"bias": (FLOAT32, (self.n_out,))} if self.bias else {})


class ReluLayer(msgspec.Struct, frozen=True, tag="relu", tag_field="kind", forbid_unknown_fields=True):
    """max(x, 0), of any width."""


Layer = SparseLinearLayer | LinearLayer | ReluLayer


def junctions(layers: Sequence[Layer]) -> list[tuple[int, SparseLinearLayer | LinearLayer]]:
    """The layers that own arrays, each with its position among all of them."""
    return [(i, layer) for i, layer in enumerate(layers) if not isinstance(layer, ReluLayer)]


def widths(layers: Sequence[Layer]) -> tuple[int, int]:
    """Neurons before the first and after the last of these layers.

    Raises:
        BundleError: no layer has a width, or two neighbours do not fit each other.
    """
    chain = junctions(layers)
    if not chain:
        raise BundleError(
            f"{len(layers)} layers and no junction among them; a part needs one linear layer or more"
        )
    for (i, before), (k, after) in pairwise(chain):
        if before.n_out != after.n_in:
            raise BundleError(
                f"layer {i} gives {before.n_out} values and layer {k} takes {after.n_in}; they must be equal"
            )
    return chain[0][1].n_in, chain[-1][1].n_out


def width_after(layers: Sequence[Layer], after: int) -> int:
    """Neurons after the first `after` of these layers.

    Raises:
        BundleError: none of them has a width.
    """
    return widths(layers[:after])[1]


def array_forms(layers: Sequence[Layer]) -> dict[str, ArrayForm]:
    """Name -> (dtype in memory, shape) of every array, in canonical order: by layer; weight, table, bias."""
    return {
        f"{i}.{name}": form for i, layer in junctions(layers) for name, form in layer.array_forms().items()
    }


def stored_table_dtype(layer: SparseLinearLayer) -> np.dtype[np.generic]:
    """The smallest unsigned type that can name every input block of the layer: how its table lies on disk."""
    return np.min_scalar_type(layer.n_in // layer.block[0] - 1)
