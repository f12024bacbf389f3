"""Many rungs, a few at a time; those that cannot be done here are skipped with the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from offramp.errors import MissingDependencyError, TooLargeError
from offramp.verification.ladder import Rung


@dataclass(frozen=True)
class Skipped:
    """A target that was not tried, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Step:
    """One rung to be climbed: on what, and how.

    Args:
        cost: how long it takes beside others; the longest begin first.
    """

    name: str
    work: Callable[[], Rung]
    cost: float = 1.0


def climb(
    steps: Sequence[Step], *, workers: int = 2, done: Callable[[Step], None] = lambda step: None
) -> list[Rung | Skipped]:
    """What came of each step, in their order.

    Args:
        workers: how many are under way at once; each waits for a compiler or an emulator.
        done: is called when one has ended.

    Raises:
        ToolchainError: exported code that a compiler refuses, or a program that does not end well.
    """

    def taken(step: Step) -> Rung | Skipped:
        try:
            return step.work()
        except (MissingDependencyError, TooLargeError) as error:
            return Skipped(step.name, str(error))
        finally:
            done(step)

    with ThreadPoolExecutor(workers) as pool:
        order = sorted(range(len(steps)), key=lambda number: -steps[number].cost)
        under_way = {number: pool.submit(taken, steps[number]) for number in order}
        try:
            return [under_way[number].result() for number in range(len(steps))]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
