"""The native float32 kernels, checked at the boundary."""

from collections.abc import Callable
from typing import Any

import numpy as np

from offramp import _native
from offramp.errors import ConfigError, PatternError
from offramp.kernels.types import Block, FloatArray, IndexArray

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
        table: int32 (n_out/c, in_degree/r), the input blocks of each output block.
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
    r, c = _checked(block)
    n_out = len(table) * c
    x = _array("x", x, (None, None))
    _check_width("x", x, r)
    weight = _array("weight", weight, (*table.shape, r * c))
    bias = None if bias is None else _array("bias", bias, (n_out,))
    y = np.empty((len(x), n_out), np.float32)
    _run(_native.forward, x, weight, _table(table), bias, y, r, c, threads, isa)
    return y


def grad_input(
    dy: FloatArray,
    weight: FloatArray,
    reverse_table: IndexArray,
    reverse_position: IndexArray,
    *,
    block: Block,
    threads: int = 1,
    isa: str | None = None,
) -> FloatArray:
    """dx (batch, n_in) of `forward`: the forward kernel over the reverse table, so free of atomics.

    Args:
        dy: float32 (batch, n_out).
        weight: as in `forward`.
        reverse_table, reverse_position: int32 (n_in/r, out_degree/c), from `Pattern.reverse()`.
        block, threads, isa: as in `forward`.
    """
    r, c = _checked(block)
    weight = _array("weight", weight, (None, None, r * c))
    dy = _array("dy", dy, (None, len(weight) * c))
    if reverse_table.shape != reverse_position.shape or weight.size != reverse_table.size * r * c:
        raise PatternError(
            f"a reverse table of {reverse_table.shape} and positions of {reverse_position.shape} do not "
            f"belong to weights of {weight.shape}; take both from the same Pattern.reverse()"
        )
    dx = np.empty((len(dy), len(reverse_table) * r), np.float32)
    _run(
        _native.grad_input,
        dy,
        weight,
        _table(reverse_table),
        _table(reverse_position),
        dx,
        r,
        c,
        threads,
        isa,
    )
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


def _array(name: str, array: FloatArray, shape: tuple[int | None, ...]) -> FloatArray:
    if array.dtype != np.float32:
        raise PatternError(
            f"{name} is {array.dtype}, the native kernels take float32; convert it, or use kernels.reference"
        )
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = " x ".join("any" if want is None else str(want) for want in shape)
        raise PatternError(f"{name} has shape {array.shape}, this junction needs {wanted}")
    return np.ascontiguousarray(array)


def _check_width(name: str, array: FloatArray, step: int) -> None:
    if array.shape[1] % step:
        raise PatternError(f"{name} has {array.shape[1]} columns, which blocks of {step} cannot share out")


def _table(table: IndexArray) -> np.ndarray[Any, np.dtype[np.int32]]:
    if not np.can_cast(table.dtype, np.int32):
        raise PatternError(f"a table is {table.dtype}; block numbers are int32")
    return np.ascontiguousarray(table, dtype=np.int32)
