"""Cutting a perceptron in two, with the exits and the bottleneck that are wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import nn

from offramp.errors import ConfigError
from offramp.nn.leaves import leaves
from offramp.nn.mlp import MLP
from offramp.nn.sparse_linear import SparseLinear
from offramp.nn.split import Exit, SplitModel, place_of
from offramp.pattern import PatternSpec

_JUNCTIONS = (SparseLinear, nn.Linear)
_NO_WIDTHS: Mapping[str, Sequence[int]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Bottleneck:
    """An encoder from the features to few values and a decoder back, as `split_at` builds them.

    The decoder ends in a ReLU, so the tail reads what it would read without it: features that are not
    negative.

    Args:
        width: values on the wire.
        out_degrees: of encoder and decoder, None for dense ones.
        pattern, block, seed: as in `MLP`.
        relu: a ReLU behind the encoder: many values are 0, which short codes like, and fewer say anything.

    Source: E and D of arXiv:2407.11763, section IV.
    """

    width: int
    out_degrees: tuple[int | None, int | None] = (None, None)
    pattern: str | PatternSpec = "random"
    block: tuple[int, int] | None = None
    seed: int = 0
    relu: bool = False

    def modules(self, n_features: int) -> tuple[nn.Sequential, list[nn.Module]]:
        """The encoder, and the layers of the decoder.

        Raises:
            ConfigError, PatternError: as `MLP` does.
        """
        chain = MLP(
            [n_features, self.width, n_features],
            self.out_degrees,
            pattern=self.pattern,
            block=self.block,
            seed=self.seed,
            final_relu=True,
        )
        encode, relu, *decoder = chain
        return nn.Sequential(encode, relu) if self.relu else nn.Sequential(encode), decoder


def split_midpoint(
    mlp: MLP,
    *,
    exit_hidden: Sequence[int] = (),
    inner_exits: Mapping[str, Sequence[int]] = _NO_WIDTHS,
    bottleneck: Bottleneck | None = None,
) -> SplitModel:
    """The network cut after L // 2 of its L junctions, at least one; else as `split_at` does it.

    Raises:
        ConfigError: as `split_at`.

    Source: arXiv:2407.11763 (its networks are split at the midpoint).
    """
    n_junctions = len(mlp.neurons) - 1 if isinstance(mlp, MLP) else 0
    return split_at(
        mlp,
        max(1, n_junctions // 2),
        exit_hidden=exit_hidden,
        inner_exits=inner_exits,
        bottleneck=bottleneck,
    )


def split_at(
    mlp: MLP,
    n_junctions: int,
    *,
    exit_hidden: Sequence[int] = (),
    inner_exits: Mapping[str, Sequence[int]] = _NO_WIDTHS,
    bottleneck: Bottleneck | None = None,
) -> SplitModel:
    """The network cut after so many junctions, with a fresh exit at the cut.

    Head and tail share their modules with `mlp`. The ReLU at the cut belongs to the head, so features are
    not negative. Exits have a final ReLU if `mlp` has.

    Args:
        exit_hidden: widths of hidden layers of the exit at the cut.
        inner_exits: "head-<n>" or "tail-<n>" for an exit after n layers of that part, ReLU and the decoder's
            layers counted, each with the widths of its hidden layers.
        bottleneck: encoder and decoder on the wire, if any; the decoder is the beginning of the tail.

    Raises:
        ConfigError: not an `MLP`, one with a single junction, a cut or an inner exit outside it.
        PatternError: a bottleneck whose edges cannot be shared equally.
    """
    _check_cut(mlp, n_junctions)
    layers, n_features, n_classes = list(mlp), mlp.neurons[n_junctions], mlp.neurons[-1]
    head, tail_layers = nn.Sequential(*layers[: 2 * n_junctions]), layers[2 * n_junctions :]
    encoder: nn.Module | None = None
    if bottleneck is not None:
        encoder, decoder = bottleneck.modules(n_features)
        tail_layers = [*decoder, *tail_layers]
    tail = nn.Sequential(*tail_layers)
    inner = {}
    for name, hidden in inner_exits.items():
        place, n = place_of(name, head, tail)
        width = _width_after(n, head if place == "head" else tail)
        inner[name] = Exit(width, n_classes, hidden, final_relu=mlp.final_relu)
    exit = Exit(n_features, n_classes, exit_hidden, final_relu=mlp.final_relu)
    return SplitModel(head, exit, tail, encoder=encoder, inner_exits=inner)


def _check_cut(mlp: MLP, n_junctions: int) -> None:
    if not isinstance(mlp, MLP):
        raise ConfigError(
            f"a {type(mlp).__name__} has no midpoint that is known; give an MLP, or cut it yourself with"
            " SplitModel(head, exit, tail)"
        )
    n_all = len(mlp.neurons) - 1
    if n_all < 2:
        raise ConfigError(
            f"an MLP of {list(mlp.neurons)} has {n_all} junction; a cut needs 2, so add a hidden layer"
        )
    if not 1 <= n_junctions < n_all:
        raise ConfigError(
            f"a cut after {n_junctions} of {n_all} junctions leaves a side empty; give 1 to {n_all - 1}"
        )


def _width_after(n: int, part: nn.Sequential) -> int:
    """Of what the first n layers give."""
    layers = [layer for _, layer in leaves("", part)][:n]
    return next(layer.out_features for layer in reversed(layers) if isinstance(layer, _JUNCTIONS))
