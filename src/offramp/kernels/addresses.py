"""The native kernels on memory addresses, for callers that have tensors and no time.

Looking at an array costs more than a small junction. So nothing is checked here but the numbers in the
tables: every address must lead to contiguous memory of the size that the shapes say.
"""

from collections.abc import Callable
from typing import Any

from offramp import _native
from offramp.errors import PatternError


def forward_at(*arguments: int) -> None:
    """`forward`: x, weight, bias (0: none), y, batch, n_in, table, wide, rows, columns, r, c, threads.

    `wide` says that the table is int32, not uint16; rows and columns are its shape.
    """
    _run(_native.forward_at, arguments)


def forward_bfloat16_at(*arguments: int) -> None:
    """`forward_bfloat16`, with the arguments of `forward_at`."""
    _run(_native.forward_bfloat16_at, arguments)


def grad_input_at(*arguments: int) -> None:
    """`grad_input`: dy, weight, dx, batch, n_out, reverse table, wide, rows, columns, r, c, threads."""
    _run(_native.grad_input_at, arguments)


def grad_weight_at(*arguments: int) -> None:
    """`grad_weight`: x, dy, dweight, dbias, batch, n_in, table, wide, rows, columns, r, c, threads."""
    _run(_native.grad_weight_at, arguments)


def _run(kernel: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    try:
        kernel(*arguments)
    except IndexError as error:
        raise PatternError(f"{error}; take the tables of the pattern that the weights belong to") from error
