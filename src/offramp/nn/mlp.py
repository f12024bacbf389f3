"""Multilayer perceptrons of sparse and dense junctions."""

import operator
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from offramp.errors import ConfigError, PatternError
from offramp.nn.sparse_linear import SparseLinear
from offramp.pattern import PatternSpec, largest_block


class MLP(nn.Sequential):
    """Junctions with a ReLU between them; the last one gives the scores.

    Args:
        neurons: widths N_0 .. N_L, at least two.
        out_degrees: of the L junctions; None, or an out-degree equal to the next width, makes a junction a
            dense `nn.Linear`.
        pattern: generator of the sparse junctions' patterns, by name; or a `PatternSpec` without a seed, to
            choose its options too (type, z and dither of "clash_free").
        block: (r, c) wanted, here or in the `PatternSpec`; each junction takes the largest block that divides
            it and that its degrees allow. "auto" wants none: each junction takes its fastest.
        seed: the patterns' seeds derive from it and the junction's place, so no two junctions share one.
        final_relu: a ReLU on the scores too, as arXiv:2407.11763 writes its layers. A class whose score is
            negative for every sample then learns no more; `python -m benchmarks.exit_training` measures it.

    Raises:
        ConfigError: widths that are none, or not one out-degree for each junction.
        PatternError: names the junction whose edges cannot be shared equally; an unknown pattern or seed.
    """

    def __init__(
        self,
        neurons: Sequence[int],
        out_degrees: Sequence[int | None] | None = None,
        *,
        pattern: str | PatternSpec = "random",
        block: tuple[int, int] | None = None,
        seed: int = 0,
        final_relu: bool = False,
    ) -> None:
        neurons = _widths(neurons)
        spec, wanted = _spec(pattern, block, seed)
        n_junctions = len(neurons) - 1
        degrees = [None] * n_junctions if out_degrees is None else list(out_degrees)
        if len(degrees) != n_junctions:
            raise ConfigError(
                f"out_degrees={degrees} gives {len(degrees)} degrees for {n_junctions} junctions; "
                f"neurons={list(neurons)} needs one for each junction"
            )
        layers: list[nn.Module] = []
        junctions = zip(neurons, neurons[1:], degrees, strict=False)
        for index, (n_in, n_out, out_degree) in enumerate(junctions, start=1):
            if layers:
                layers.append(nn.ReLU())
            try:
                own = replace(spec, seed=_pattern_seed(spec.seed, index))
                layers.append(_layer(n_in, n_out, out_degree, own, wanted))
            except PatternError as error:
                raise PatternError(f"junction {index} ({n_in} -> {n_out}): {error}") from error
        if final_relu:
            layers.append(nn.ReLU())
        super().__init__(*layers)
        self.neurons, self.final_relu = neurons, final_relu

    def __getitem__(self, index: slice | int) -> nn.Module:
        """The module at an index; for a slice a plain `nn.Sequential`, since it need not be an MLP."""
        return nn.Sequential(*list(self)[index]) if isinstance(index, slice) else super().__getitem__(index)


def _widths(neurons: Sequence[int]) -> tuple[int, ...]:
    try:
        widths = tuple(operator.index(width) for width in neurons)
    except TypeError:
        widths = ()
    if len(widths) < 2 or min(widths) < 1:
        raise ConfigError(f"neurons={neurons!r} must be at least two widths of 1 or more; give whole numbers")
    return widths


def _spec(
    pattern: str | PatternSpec, block: tuple[int, int] | None, seed: int
) -> tuple[PatternSpec, tuple[int, int] | None]:
    """The generator with the network's seed, and the block to fit to each junction."""
    spec = pattern if isinstance(pattern, PatternSpec) else PatternSpec(kind=pattern)
    if spec.seed != 0:
        raise ConfigError(
            f"seed={spec.seed} of the PatternSpec is not a junction's, which derive from the network's;"
            f" pass seed={spec.seed} beside it"
        )
    if None not in (block, spec.block) and block != spec.block:
        raise ConfigError(f"block={block} contradicts the PatternSpec's block={spec.block}; give one of them")
    wanted = replace(spec, block=block or spec.block).block  # refused here where the kind has no use for it
    return replace(spec, block=None, seed=seed), wanted


def _layer(
    n_in: int, n_out: int, out_degree: int | None, spec: PatternSpec, block: tuple[int, int] | None
) -> nn.Module:
    if out_degree is None or out_degree == n_out:
        return nn.Linear(n_in, n_out)
    fitting = None if block is None else largest_block(n_in, n_out, out_degree, block)
    return SparseLinear(n_in, n_out, out_degree=out_degree, pattern=replace(spec, block=fitting))


def _pattern_seed(seed: int, junction: int) -> int:
    return int(np.random.SeedSequence((seed, junction)).generate_state(1)[0])
