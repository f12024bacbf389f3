"""A linear layer that stores, trains and computes only the edges of its pattern."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from offramp.errors import ConfigError, InputError, PatternError
from offramp.nn.ops import junction
from offramp.pattern import Pattern, PatternSpec, Table

# What a table may be saved as.
_WHOLE_NUMBERS = (torch.uint8, torch.int8, torch.uint16, torch.int16, torch.int32, torch.int64)


class SparseLinear(nn.Module):
    """`nn.Linear` on the edges of a structured pattern; takes any leading dimensions, as `nn.Linear` does.

    On the CPU it computes in float32 (native) or float64 (reference), on any other device that Torch has in
    any floating-point dtype, by Torch's gather and batched matrix product.

    Args:
        in_features, out_features: neurons before and after the junction.
        out_degree: edges leaving each input neuron; may be left out for a `Pattern` and for "full".
        pattern: the name of a generator; a `PatternSpec`, which also has its options, block and seed; or a
            `Pattern`.
        block: (r, c) neighbouring inputs and outputs connected as one, for generators that know blocks.
        bias: whether outputs have a bias.
        seed: decides the pattern alone; the weights come from Torch's global generator.

    The parameter `weight` is (out_features/c, in_degree/r, r*c), with index i*c + j inside a block. `table`
    (out_features/c, in_degree/r) names the input blocks and travels in the `state_dict`. It is no buffer: the
    pattern decides it, and on the CPU it is the memory of `pattern.table`.

    Raises:
        PatternError: the edges cannot be shared equally, or `pattern` contradicts the other arguments.

    Source: arXiv:2407.11763, section III.
    """

    table: Tensor
    reverse_table: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        out_degree: int | None = None,
        pattern: str | PatternSpec | Pattern = "random",
        block: tuple[int, int] | None = None,
        bias: bool = True,
        seed: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self._pattern = _resolve(in_features, out_features, out_degree, pattern, block, seed)
        self.in_features, self.out_features = in_features, out_features
        self.r, self.c = self._pattern.block

        n_blocks, width = self._pattern.table.shape
        shape = (n_blocks, width, self.r * self.c)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    @property
    def pattern(self) -> Pattern:
        """Which edges exist."""
        return self._pattern

    def reset_parameters(self) -> None:
        """He-normal weights by the true in-degree, zero bias: units after a ReLU keep their variance."""
        self._fill_tables()
        nn.init.normal_(self.weight, std=math.sqrt(2 / self._pattern.in_degree))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _fill_tables(self) -> None:
        """The pattern, on the weights' device: `to_empty` leaves it uninitialised."""
        self.table = _tensor(self._pattern.table).to(self.weight.device)
        self.reverse_table = _tensor(self._pattern.reverse()).to(self.weight.device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.table, self.reverse_table = fn(self.table), fn(self.reverse_table)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the tables, which the pattern has; Torch cannot pickle 16-bit tensors anyway."""
        return {name: value for name, value in vars(self).items() if name not in ("table", "reverse_table")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._fill_tables()

    def forward(self, x: Tensor) -> Tensor:
        """y (..., out_features) of x (..., in_features)."""
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise InputError(
                f"input has shape {tuple(x.shape)}, its last dimension must be in_features="
                f"{self.in_features}; reshape the input or build the layer for its width"
            )
        rows = x if x.dim() == 2 else x.reshape(math.prod(x.shape[:-1]), self.in_features)
        y = junction(rows, self.weight, self.bias, self.table, self.reverse_table, self.r, self.c)
        return y if x.dim() == 2 else y.reshape(*x.shape[:-1], self.out_features)

    @classmethod
    def from_dense(
        cls,
        linear: nn.Linear,
        *,
        out_degree: int | None = None,
        pattern: str | PatternSpec | Pattern = "random",
        block: tuple[int, int] | None = None,
        seed: int = 0,
    ) -> Self:
        """The layer with the weights that `linear` has on the pattern's edges, and its bias."""
        weight = linear.weight.detach()
        sparse = cls(
            linear.in_features,
            linear.out_features,
            out_degree=out_degree,
            pattern=pattern,
            block=block,
            bias=linear.bias is not None,
            seed=seed,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            sparse.weight.copy_(sparse._blocks_of(weight).transpose(2, 3).reshape(sparse.weight.shape))
            if sparse.bias is not None:
                sparse.bias.copy_(linear.bias)
        return sparse

    def to_dense(self) -> nn.Linear:
        """An `nn.Linear` that computes the same, with zeros where there is no edge."""
        with torch.device("meta"):
            linear = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None)
        with torch.no_grad():
            weight = self.weight.new_zeros(self.out_features, self.in_features)
            blocks = self.weight.reshape(*self.table.shape, self.r, self.c).transpose(2, 3)
            outputs, inputs = self._block_indices()
            self._as_blocks(weight)[outputs, :, inputs, :] = blocks
        linear.weight = nn.Parameter(weight)
        if self.bias is not None:
            linear.bias = nn.Parameter(self.bias.detach().clone())
        return linear

    def extra_repr(self) -> str:
        pattern = self._pattern
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"out_degree={pattern.out_degree}, block={pattern.block}, density={pattern.density:.4g}, "
            f"bias={self.bias is not None}"
        )

    def _as_blocks(self, dense: Tensor) -> Tensor:
        """View (out_features/c, c, in_features/r, r) of a dense weight."""
        return dense.view(self.out_features // self.c, self.c, self.in_features // self.r, self.r)

    def _block_indices(self) -> tuple[Tensor, Tensor]:
        outputs = torch.arange(self.out_features // self.c, device=self.table.device)
        return outputs[:, None], self.table.long()

    def _blocks_of(self, dense: Tensor) -> Tensor:
        """The blocks (out_features/c, in_degree/r, c, r) of a dense weight that the pattern connects."""
        outputs, inputs = self._block_indices()
        return self._as_blocks(dense.contiguous())[outputs, :, inputs, :]

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "table"] = self.table.to(torch.int32)  # which every tool can read

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Refuse weights of another pattern, strict or not: they would be silently mispaired."""
        weight, table = state_dict.get(prefix + "weight"), state_dict.get(prefix + "table")
        if weight is not None and table is None:
            raise PatternError(
                f"the state_dict has {prefix}weight without {prefix}table; weights load only together with "
                "their pattern: save the whole state_dict of the layer"
            )
        if table is not None:
            self._check_table(prefix + "table", table)
        rest = {key: value for key, value in state_dict.items() if key != prefix + "table"}
        super()._load_from_state_dict(rest, prefix, *args, **kwargs)
        self._fill_tables()

    def _check_table(self, name: str, table: Tensor) -> None:
        if table.dtype not in _WHOLE_NUMBERS:
            raise PatternError(
                f"{name} of the state_dict is {table.dtype}; a table names input blocks by whole "
                "numbers: save the state_dict as the layer gives it"
            )
        mine = torch.tensor(self._pattern.table.astype(np.int64), device="cpu")
        if table.shape == mine.shape and torch.equal(table.to("cpu", torch.int64), mine):
            return
        raise PatternError(
            f"{name} of the state_dict {tuple(table.shape)} is another pattern than this layer's "
            f"{tuple(mine.shape)}, digest {self._pattern.digest()[:12]}; weights load only into their own "
            "pattern: build the layer with the same out_degree, pattern, block and seed, or with "
            "pattern=Pattern.from_table(...) of that table"
        )


class _Writable:
    """The memory of a read-only array without the mark, which Torch would warn of. Nobody writes to it."""

    def __init__(self, array: Table) -> None:
        self._array = array  # keeps the memory
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}


def _tensor(table: Table) -> Tensor:
    """A tensor on the table's memory: a pattern may hold as many bytes as the weights."""
    return torch.from_numpy(np.asarray(_Writable(table)))


def _resolve(
    n_in: int,
    n_out: int,
    out_degree: int | None,
    pattern: str | PatternSpec | Pattern,
    block: tuple[int, int] | None,
    seed: int,
) -> Pattern:
    """The pattern that the arguments of `SparseLinear` describe."""
    if isinstance(pattern, Pattern):
        _check_agreement("in_features", n_in, pattern.n_in)
        _check_agreement("out_features", n_out, pattern.n_out)
        _check_agreement("out_degree", out_degree, pattern.out_degree)
        _check_agreement("block", block, pattern.block)
        return pattern
    if isinstance(pattern, PatternSpec):
        _check_agreement("block", block, pattern.block)
        _check_agreement("seed", seed or None, pattern.seed)  # 0 may be the default, not asked for
    else:
        pattern = PatternSpec(kind=pattern, block=block, seed=seed)
    if out_degree is None and pattern.kind == "full":
        out_degree = n_out
    if out_degree is None:
        raise ConfigError(f"pattern={pattern.kind!r} needs an out_degree between 1 and out_features={n_out}")
    return pattern.build(n_in, n_out, out_degree)


def _check_agreement(name: str, asked: object, given: object) -> None:
    if asked is not None and asked != given:
        raise PatternError(
            f"{name}={asked} contradicts the given pattern, which has {name}={given}; "
            f"pass {given} or another pattern"
        )
