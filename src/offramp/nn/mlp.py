"""Multilayer perceptrons of sparse and dense junctions."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from offramp.errors import ConfigError, PatternError
from offramp.nn.sparse_linear import SparseLinear
from offramp.pattern import largest_block


class MLP(nn.Sequential):
    """Junctions with a ReLU between them; the last one gives the scores.

    Args:
        neurons: widths N_0 .. N_L, at least two.
        out_degrees: of the L junctions; None, or an out-degree equal to the next width, makes a junction a
            dense `nn.Linear`.
        pattern: generator of the sparse junctions' patterns.
        block: (r, c) wanted; each junction takes the largest block that divides it
            and that its degrees allow.
        seed: the patterns' seeds derive from it and the junction's place, so no two junctions share one.

    Raises:
        PatternError: names the junction whose edges cannot be shared equally.
    """

    def __init__(
        self,
        neurons: Sequence[int],
        out_degrees: Sequence[int | None] | None = None,
        *,
        pattern: str = "random",
        block: tuple[int, int] | None = None,
        seed: int = 0,
    ) -> None:
        n_junctions = len(neurons) - 1
        if n_junctions < 1 or min(neurons) < 1:
            raise ConfigError(f"neurons={list(neurons)} must be at least two widths of 1 or more")
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
                layers.append(_layer(n_in, n_out, out_degree, pattern, block, _pattern_seed(seed, index)))
            except PatternError as error:
                raise PatternError(f"junction {index} ({n_in} -> {n_out}): {error}") from error
        super().__init__(*layers)
        self.neurons = tuple(neurons)

    def __getitem__(self, index: slice | int) -> nn.Module:
        """The module at an index; for a slice a plain `nn.Sequential`, since it need not be an MLP."""
        return nn.Sequential(*list(self)[index]) if isinstance(index, slice) else super().__getitem__(index)


def _layer(
    n_in: int, n_out: int, out_degree: int | None, pattern: str, block: tuple[int, int] | None, seed: int
) -> nn.Module:
    if out_degree is None or out_degree == n_out:
        return nn.Linear(n_in, n_out)
    fitting = None if block is None else largest_block(n_in, n_out, out_degree, block)
    return SparseLinear(n_in, n_out, out_degree=out_degree, pattern=pattern, block=fitting, seed=seed)


def _pattern_seed(seed: int, junction: int) -> int:
    return int(np.random.SeedSequence((seed, junction)).generate_state(1)[0])
