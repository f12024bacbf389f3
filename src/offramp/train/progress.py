"""Who follows a run: a bar for the person at a terminal, a function of the caller's, or a class of theirs."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from offramp.train.history import Epoch

_REFRESH_S = 0.1


class Watch:
    """Is told what a run does; a subclass says what to do about it.

    An exception raised in `step` or `epoch` ends the run, whose checkpoint is saved first.
    """

    def begin(self, *, n_done: int, n_steps: int, fused: bool) -> None:
        """The run starts after `n_done` of its steps; a run that is finished already never does."""

    def step(self, n_done: int, loss: float) -> None:
        """So many steps are done; the last one's loss. Called after every step: be quick."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is done."""

    def end(self) -> None:
        """The run is over, in whatever way."""


class EachEpoch(Watch):
    """Calls a function after each epoch."""

    def __init__(self, call: Callable[[Epoch], None]) -> None:
        self._call = call

    def epoch(self, epoch: Epoch) -> None:
        self._call(epoch)


class ProgressBar(Watch):
    """A bar over all steps with the time left and the latest loss; silent where stderr is no terminal."""

    def __init__(self, *, shown: bool) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
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
        self._next_s = 0.0

    def begin(self, *, n_done: int, n_steps: int, fused: bool) -> None:
        name = "training, fused step" if fused else "training"
        self._task = self._bar.add_task(name, completed=n_done, total=n_steps, loss=float("nan"), accuracy="")
        self._bar.start()

    def step(self, n_done: int, loss: float) -> None:
        """Most calls only look at the clock."""
        if self._bar.disable or (now := time.monotonic()) < self._next_s:
            return
        self._next_s = now + _REFRESH_S
        self._bar.update(self._task, completed=n_done, loss=loss)
        self._bar.refresh()

    def epoch(self, epoch: Epoch) -> None:
        self._bar.update(self._task, accuracy=f"validation {epoch.tail_accuracy:.2%}")

    def end(self) -> None:
        self._bar.stop()
