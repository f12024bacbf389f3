"""What a person at a terminal sees of a run."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from offramp.train.history import Epoch

_REFRESH_S = 0.1


class ProgressBar:
    """A bar over all steps with the time left and the latest loss; silent where stderr is no terminal."""

    def __init__(self, *, n_steps: int, shown: bool, fused: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("training, fused step" if fused else "training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps, time left"),
            TimeRemainingColumn(),
            TextColumn("loss {task.fields[loss]:.4f} {task.fields[accuracy]}"),
            console=console,
            transient=True,
            auto_refresh=False,  # no thread of its own: steps of small networks take less than a millisecond
            disable=not (shown and console.is_terminal),
        )
        self._task = self._bar.add_task("training", total=n_steps, loss=float("nan"), accuracy="")
        self._next_s = 0.0

    def step(self, n_done: int, loss: float) -> None:
        """Tell of a finished step; most calls only look at the clock."""
        if self._bar.disable or (now := time.monotonic()) < self._next_s:
            return
        self._next_s = now + _REFRESH_S
        self._bar.update(self._task, completed=n_done, loss=loss)
        self._bar.refresh()

    def epoch(self, epoch: Epoch) -> None:
        """Tell of a finished epoch."""
        self._bar.update(self._task, accuracy=f"validation {epoch.tail_accuracy:.2%}")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
