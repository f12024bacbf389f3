"""How fast a junction computes on this machine, against a dense layer of the same widths."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from offramp.bundle import Part, ReluLayer, SparseLinearLayer
from offramp.errors import ConfigError
from offramp.pattern import Pattern
from offramp.runtime import Network

Clock = Callable[[], float]
Work = Callable[[], Any]

BUDGET_S = 0.06  # a junction: too short to wait for, long enough for a steady median
MAX_DENSE_BYTES = 2**28  # weights of a dense peer; a device may not have room for more
_ROUNDS = (5, 51)  # the fewest and the most
_AT_LEAST_S = 2e-4  # a measurement repeats its work until it is longer than the clock's noise
_TIE = 1.05


@dataclass(frozen=True)
class JunctionSpeed:
    """Median times of a junction and of its dense peer, and the median ratio of runs side by side.

    The dense peer is NumPy's `x @ weight + bias`. It has no figures where its weights would take more than
    MAX_DENSE_BYTES.

    Attributes:
        batch: samples computed at once.
        over_dense: time of the dense peer over ours, so above 1 where ours is faster.
        n_rounds: how often both were measured.
        dense_threads: of NumPy's BLAS, None where it does not tell; ours has one.
    """

    batch: int
    ours_s: float
    dense_s: float | None
    over_dense: float | None
    n_rounds: int
    dense_threads: int | None

    @property
    def dense_is_faster(self) -> bool:
        """Whether dense is faster by more than 5%; less is noise."""
        return self.over_dense is not None and self.over_dense * _TIE < 1


def measure_junction(
    pattern: Pattern, *, batch: int = 1, budget_s: float = BUDGET_S, clock: Clock = time.perf_counter
) -> JunctionSpeed:
    """How fast a junction of this pattern computes here, on one thread, as it would on the edge.

    Args:
        batch: samples computed at once, 1 or more.
        budget_s: how long to measure; slow work takes longer, as it is measured five times at least.

    Raises:
        ConfigError: a batch below 1.
    """
    n_in, n_out, (r, c) = pattern.n_in, pattern.n_out, pattern.block
    layer = SparseLinearLayer(n_in, n_out, pattern.out_degree, (r, c), True, pattern.digest())
    weight, bias = np.ones((*pattern.table.shape, r * c), np.float32), np.ones(n_out, np.float32)
    part = Part((layer,), {"0.weight": weight, "0.table": pattern.table, "0.bias": bias})
    return measure_part(part, batch=batch, budget_s=budget_s, clock=clock)[0]


def measure_part(
    part: Part, *, batch: int = 1, budget_s: float = BUDGET_S, clock: Clock = time.perf_counter
) -> dict[int, JunctionSpeed]:
    """The speed of every junction of a part, by its place among the layers.

    Args:
        batch, budget_s: as for `measure_junction`; every junction has the whole budget.

    Raises:
        ConfigError: a batch below 1.
    """
    if batch < 1:
        raise ConfigError(f"batch={batch} is not usable; give a number of samples, 1 or more")
    with _one_blas_thread() as dense_threads:
        return {
            i: _measured(_alone(part, i), batch, dense_threads, budget_s=budget_s, clock=clock)
            for i, layer in enumerate(part.layers)
            if not isinstance(layer, ReluLayer)
        }


def _alone(part: Part, i: int) -> Part:
    """Layer i as a part of its own."""
    names = (name for name in part.arrays if name.startswith(f"{i}."))
    return Part((part.layers[i],), {f"0.{name.partition('.')[2]}": part.arrays[name] for name in names})


def _measured(
    part: Part, batch: int, dense_threads: int | None, *, budget_s: float, clock: Clock
) -> JunctionSpeed:
    x = np.ones((batch, part.n_in), np.float32)
    works: list[Work] = [partial(Network(part), x)]
    if 4 * part.n_in * part.n_out <= MAX_DENSE_BYTES:
        works.append(_dense(x, part.n_out))
    rounds = timed_in_turn(works, budget_s=budget_s, clock=clock)
    ours_s, *dense_s = (statistics.median(times) for times in zip(*rounds, strict=True))
    return JunctionSpeed(
        batch=batch,
        ours_s=ours_s,
        dense_s=dense_s[0] if dense_s else None,
        over_dense=statistics.median(dense / ours for ours, dense in rounds) if dense_s else None,
        n_rounds=len(rounds),
        dense_threads=dense_threads,
    )


def _dense(x: npt.NDArray[np.float32], n_out: int) -> Work:
    """A dense layer in NumPy, in the same frame as a `Network`."""
    n_in, bias = x.shape[1], np.ones(n_out, np.float32)
    # The order that BLAS computes faster with: output by output for one sample, input by input for several.
    weight = np.ones((n_out, n_in), np.float32).T if len(x) == 1 else np.ones((n_in, n_out), np.float32)

    def layer() -> npt.NDArray[np.float32]:
        with np.errstate(over="ignore", invalid="ignore"):
            y: npt.NDArray[np.float32] = x @ weight
            y += bias
        return y

    return layer


def timed_in_turn(works: Sequence[Work], *, budget_s: float, clock: Clock) -> list[tuple[float, ...]]:
    """Rounds of the seconds that each work takes, one right after the other, so noise meets all of them."""
    start = clock()
    repeats = [_repeats(work, clock) for work in works]
    rounds: list[tuple[float, ...]] = []
    fewest, most = _ROUNDS
    while len(rounds) < fewest or (len(rounds) < most and clock() - start < budget_s):
        rounds.append(tuple(_seconds(work, n, clock) for work, n in zip(works, repeats, strict=True)))
    return rounds


def _seconds(work: Work, repeats: int, clock: Clock) -> float:
    start = clock()
    for _ in range(repeats):
        work()
    return (clock() - start) / repeats


def _repeats(work: Work, clock: Clock) -> int:
    work()  # warm: pages touched, code loaded
    return max(1, round(_AT_LEAST_S / max(_seconds(work, 1, clock), 1e-9)))


@contextmanager
def _one_blas_thread() -> Iterator[int | None]:
    """NumPy's matmul on one thread; gives how many it really has, None where its BLAS does not tell."""
    blas = ThreadpoolController().select(user_api="blas")
    with blas.limit(limits=1):
        yield max((library["num_threads"] for library in blas.info()), default=None)
