"""A split network as it was asked for, and the untrained model of it. Imports Torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd

import numpy as np

from offramp.bundle import Preprocessing
from offramp.codec import check_name
from offramp.data import Dataset, preprocessing_for
from offramp.errors import ConfigError
from offramp.nn import MLP, Bottleneck, SplitModel, split_at
from offramp.pattern import BLOCK_COSTS, fastest_block, largest_block
from offramp.system import AUTO

DEFAULT_BLOCK = (4, 4)


@dataclass(frozen=True, kw_only=True)
class Design:
    """A split network to be.

    Args:
        neurons: widths of all layers; AUTO for the first or last follows from the data.
        out_degrees: of all junctions, None for dense ones; None for all of them makes the first junction a
            quarter dense and leaves the others dense.
        pattern, block: of the sparse junctions; no block means DEFAULT_BLOCK where the pattern is "block",
            and each junction's fastest where it is "auto".
        cut: junctions in the head; None for half of them, at least one.
        exit_hidden: widths of the hidden layers of the exit at the cut.
        inner_exits: exits inside head and tail, "head-2" after the head's first two layers, each with the
            widths of its hidden layers.
        final_relu: whether tail and exits end in a ReLU, as in the paper.
        bottleneck: values on the wire, which an encoder makes and a decoder, at the beginning of the tail,
            reads; None for the features themselves.
        bottleneck_out_degrees: of encoder and decoder, None for dense ones.
        pool: side of the windows that images are averaged over first.
        codec: how features cross the wire, one of `offramp.codec.CODECS`.
        quantise_epochs: of fine-tuning with features as the codec, int8 or int4, rounds them.
        max_accuracy_drop: what the exit may cost on the calibration split, as a share.
    """

    neurons: Sequence[int]
    out_degrees: Sequence[int | None] | None = None
    pattern: str = "block"
    block: tuple[int, int] | None = None
    cut: int | None = None
    exit_hidden: Sequence[int] = ()
    inner_exits: Mapping[str, Sequence[int]] = field(default_factory=dict)
    final_relu: bool = False
    bottleneck: int | None = None
    bottleneck_out_degrees: tuple[int | None, int | None] = (None, None)
    pool: int = 1
    codec: str = "float32"
    quantise_epochs: int = 0
    max_accuracy_drop: float = 0.005

    def __post_init__(self) -> None:
        check_name(self.codec)  # a bundle would refuse it too, but after the training
        if self.quantise_epochs and not self.codec.startswith("int"):
            raise ConfigError(
                f"{self.quantise_epochs} epochs of fine-tuning for codec {self.codec!r}, which rounds"
                " nothing; use an int8 or int4 codec, or none of them"
            )

    @property
    def block_wanted(self) -> tuple[int, int] | None:
        """The block, where the pattern needs one."""
        return self.block or (DEFAULT_BLOCK if self.pattern == "block" else None)

    def build(
        self, neurons: Sequence[int], out_degrees: Sequence[int | None] | None, *, seed: int
    ) -> SplitModel:
        """The untrained model with these widths and out-degrees.

        Raises:
            ConfigError, PatternError: it cannot be.
        """
        mlp = MLP(
            neurons,
            out_degrees,
            pattern=self.pattern,
            block=self.block_wanted,
            seed=seed,
            final_relu=self.final_relu,
        )
        return split_at(
            mlp,
            self.cut or max(1, (len(neurons) - 1) // 2),
            exit_hidden=self.exit_hidden,
            inner_exits=self.inner_exits,
            bottleneck=self._bottleneck(seed),
        )

    def _bottleneck(self, seed: int) -> Bottleneck | None:
        if self.bottleneck is None:
            return None
        return Bottleneck(
            width=self.bottleneck,
            out_degrees=self.bottleneck_out_degrees,
            pattern=self.pattern,
            block=self.block_wanted,
            seed=seed,
        )


def untrained(dataset: Dataset, design: Design, *, seed: int) -> tuple[SplitModel, Preprocessing]:
    """The network as designed for this data, and what its inputs are made by.

    Raises:
        ConfigError, PatternError: the design cannot be, or does not fit the data.
    """
    block = design.block_wanted
    n_values = preprocessing_for(dataset, pool=design.pool).n_features
    neurons, out_degrees = resolve(design, block, n_values=n_values, n_classes=len(dataset.classes))
    preprocessing = preprocessing_for(dataset, pool=design.pool, pad_to=neurons[0])
    return design.build(neurons, out_degrees, seed=seed), preprocessing


def resolve(
    design: Design, block: tuple[int, int] | None, *, n_values: int, n_classes: int
) -> tuple[list[int], list[int | None]]:
    """Widths and out-degrees with nothing left open.

    Args:
        n_values: of a preprocessed sample.
    """
    neurons = list(design.neurons)
    if len(neurons) < 3 or AUTO in neurons[1:-1]:
        raise ConfigError(
            f"neurons {_spelled(neurons)}; give three widths or more, with auto only at the ends"
        )
    neurons[-1] = neurons[-1] or n_classes
    if neurons[-1] != n_classes:
        raise ConfigError(
            f"{neurons[-1]} outputs for {n_classes} classes; end neurons with {n_classes} or auto"
        )
    out_degrees = _out_degrees(design, neurons, block)
    neurons[0] = neurons[0] or padded_width(
        n_values, neurons[1], out_degrees[0] or neurons[1], block, auto=design.pattern == "auto"
    )
    return neurons, out_degrees


def padded_width(
    n_values: int, n_out: int, out_degree: int, block: tuple[int, int] | None, *, auto: bool = False
) -> int:
    """The input width from `n_values` on that allows the out-degree, and as much of the block as it can.

    At most an eighth of the values is added for the sake of the block.

    Args:
        auto: whether the pattern is "auto"; then it is the width that computes fastest.
    """
    step = n_out // gcd(n_out, out_degree)
    least = -(-n_values // step) * step
    candidates = range(least, least + n_values // 8 + 1, step)
    if out_degree >= n_out:
        return least
    if auto:
        return min(candidates, key=lambda n_in: n_in * BLOCK_COSTS[fastest_block(n_in, n_out, out_degree)])
    if block is None:
        return least
    return max(candidates, key=lambda n_in: np.prod(largest_block(n_in, n_out, out_degree, block)))


def _out_degrees(design: Design, neurons: Sequence[int], block: tuple[int, int] | None) -> list[int | None]:
    n_junctions = len(neurons) - 1
    if design.out_degrees is None:
        wanted = DEFAULT_BLOCK if design.pattern == "auto" else block or (1, 1)
        c = wanted[1]
        quarter = max(c, neurons[1] // 4 // c * c)
        sparse = design.pattern != "full" and quarter < neurons[1]
        return [quarter if sparse else None] + [None] * (n_junctions - 1)
    if len(design.out_degrees) != n_junctions:
        raise ConfigError(
            f"{len(design.out_degrees)} out-degrees for neurons {_spelled(neurons)};"
            f" give {n_junctions}, one a junction, full for a dense one"
        )
    return list(design.out_degrees)


def _spelled(neurons: Sequence[int]) -> str:
    return ",".join(str(width or "auto") for width in neurons)
