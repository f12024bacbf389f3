"""The native float32 kernels, checked at the boundary."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from offramp import _native
from offramp.errors import ConfigError, PatternError
from offramp.kernels.types import BFloat16Array, Block, FloatArray, IndexArray

_MAX_THREADS = 1024


def available_isas() -> tuple[str, ...]:
    """Instruction sets that this machine can run, the best last; the kernels take the best unless told."""
    return tuple(_native.available_isas())


def has_openmp() -> bool:
    """Whether this build uses threads; without OpenMP every kernel runs on one."""
    return bool(_native.has_openmp())


def useful_threads(n_macs: int, *, at_most: int) -> int:
    """How many threads so many multiply-adds are worth: one for each million.

    Waking a second one costs more than a small junction, and milliseconds where other work holds the cores.
    """
    return max(1, min(at_most, n_macs // 1_000_000))


def forward(
    x: FloatArray,
    weight: FloatArray,
    table: IndexArray,
    bias: FloatArray | None = None,
    *,
    block: Block,
    threads: int = 1,
    isa: str | None = None,
) -> FloatArray:
    """y[b, o] = bias[o] + the sum over the edges of o of weight * x[b, input of the edge].

    Args:
        x: float32 (batch, n_in); copied if it is not contiguous.
        weight: float32 (n_out/c, in_degree/r, r*c), index i*c + j inside a block.
        table: uint16 or int32 (n_out/c, in_degree/r), the input blocks of each output block, ascending.
        bias: float32 (n_out,) or None.
        block: (r, c), the inputs and outputs of a block.
        threads: at most so many, 1..1024; any number gives the same bits. A process forked from one that has
            used several computes on one.
        isa: one of `available_isas()`, None for the best.

    Returns:
        y, float32 (batch, n_out).

    Raises:
        PatternError: arrays that do not fit one another.
        ConfigError: an unknown instruction set, or a number of threads out of range.
    """
    return Forward(weight, table, bias, block=block)(x, threads=threads, isa=isa)


class Forward:
    """`forward` for weights that stay: they are checked once, which costs more than a small junction.

    Args:
        weight, table, bias, block: as in `forward`; not copied where they are contiguous.

    Raises:
        PatternError: arrays that do not fit one another.
    """

    def __init__(
        self, weight: FloatArray, table: IndexArray, bias: FloatArray | None = None, *, block: Block
    ) -> None:
        self._r, self._c = _checked(block)
        self._n_out = len(table) * self._c
        self._weight = _array("weight", weight, (*table.shape, self._r * self._c))
        self._bias = None if bias is None else _array("bias", bias, (self._n_out,))
        self._table = _table(table)

    def __call__(self, x: FloatArray, *, threads: int = 1, isa: str | None = None) -> FloatArray:
        """y (batch, n_out) of x (batch, n_in); arguments and errors as those of `forward`."""
        x = _array("x", x, (None, None))
        _check_width("x", x, self._r)
        y = np.empty((len(x), self._n_out), np.float32)
        _run(_native.forward, x, self._weight, self._table, self._bias, y, self._r, self._c, threads, isa)
        return y


def forward_bfloat16(
    x: BFloat16Array,
    weight: BFloat16Array,
    table: IndexArray,
    bias: BFloat16Array | None = None,
    *,
    block: Block,
    threads: int = 1,
    isa: str | None = None,
) -> BFloat16Array:
    """`forward` with every number in bfloat16, given as its bits in uint16; sums are float32.

    Halves the memory of weights and activations. Not their work: batches are computed in float32.
    """
    r, c = _checked(block)
    n_out = len(table) * c
    x = _array("x", x, (None, None), np.uint16)
    _check_width("x", x, r)
    weight = _array("weight", weight, (*table.shape, r * c), np.uint16)
    bias = None if bias is None else _array("bias", bias, (n_out,), np.uint16)
    y = np.empty((len(x), n_out), np.uint16)
    _run(_native.forward_bfloat16, x, weight, _table(table), bias, y, r, c, threads, isa)
    return y


def grad_input(
    dy: FloatArray,
    weight: FloatArray,
    reverse_table: IndexArray,
    *,
    block: Block,
    threads: int = 1,
    isa: str | None = None,
) -> FloatArray:
    """dx (batch, n_in) of `forward`: the forward kernel over the reverse table, so free of atomics.

    Args:
        dy: float32 (batch, n_out).
        weight: as in `forward`.
        reverse_table: uint16 or int32 (n_in/r, out_degree/c), the output blocks of each input block,
            ascending, as `Pattern.reverse()` gives it.
        block, threads, isa: as in `forward`.
    """
    r, c = _checked(block)
    weight = _array("weight", weight, (None, None, r * c))
    dy = _array("dy", dy, (None, len(weight) * c))
    if weight.size != reverse_table.size * r * c:
        raise PatternError(
            f"a reverse table of {reverse_table.shape} does not belong to weights of {weight.shape}; "
            "take it from Pattern.reverse() of their pattern"
        )
    dx = np.empty((len(dy), len(reverse_table) * r), np.float32)
    _run(_native.grad_input, dy, weight, _table(reverse_table), dx, r, c, threads, isa)
    return dx


def grad_weight(
    x: FloatArray,
    dy: FloatArray,
    table: IndexArray,
    *,
    block: Block,
    threads: int = 1,
    isa: str | None = None,
) -> tuple[FloatArray, FloatArray]:
    """dweight (shaped like weight) and dbias (n_out,) of `forward`, summed over the batch.

    The sums do not depend on the number of threads.
    """
    r, c = _checked(block)
    n_out = len(table) * c
    x = _array("x", x, (None, None))
    _check_width("x", x, r)
    dy = _array("dy", dy, (len(x), n_out))
    dweight = np.empty((*table.shape, r * c), np.float32)
    dbias = np.empty(n_out, np.float32)
    _run(_native.grad_weight, x, dy, _table(table), dweight, dbias, r, c, threads, isa)
    return dweight, dbias


def _run(kernel: Callable[..., None], *arguments: Any) -> None:
    *_, threads, isa = arguments
    if not 1 <= threads <= _MAX_THREADS:
        raise ConfigError(f"threads={threads} is outside 1..{_MAX_THREADS}; the number of cores is enough")
    if isa is not None and isa not in _native.available_isas():
        raise ConfigError(f"isa={isa!r} is not to be had here; use one of {', '.join(available_isas())}")
    try:
        kernel(*arguments)
    except IndexError as error:
        raise PatternError(f"{error}; take the tables of the pattern that the weights belong to") from error


def _checked(block: Block) -> Block:
    r, c = block
    if r < 1 or c < 1:
        raise PatternError(f"block={block} is no block; give inputs and outputs, each 1 or more")
    return r, c


def _array(
    name: str,
    array: npt.NDArray[Any],
    shape: tuple[int | None, ...],
    dtype: type[np.float32 | np.uint16] = np.float32,
) -> npt.NDArray[Any]:
    if array.dtype != dtype:
        wanted = "float32" if dtype is np.float32 else "uint16, the bits of bfloat16"
        raise PatternError(
            f"{name} is {array.dtype}, this native kernel takes {wanted}; convert it, or use "
            "kernels.reference"
        )
    if array.ndim != len(shape) or any(
        want is not None and want != have for want, have in zip(shape, array.shape, strict=True)
    ):
        wanted = " x ".join("any" if want is None else str(want) for want in shape)
        raise PatternError(f"{name} has shape {array.shape}, this junction needs {wanted}")
    return np.ascontiguousarray(array)


def _check_width(name: str, array: npt.NDArray[Any], step: int) -> None:
    if array.shape[1] % step:
        raise PatternError(f"{name} has {array.shape[1]} columns, which blocks of {step} cannot share out")


def _table(table: IndexArray) -> IndexArray:
    if table.dtype == np.uint16:
        return np.ascontiguousarray(table)
    if not np.can_cast(table.dtype, np.int32):
        raise PatternError(f"a table is {table.dtype}; block numbers are uint16 or int32")
    return np.ascontiguousarray(table, dtype=np.int32)
