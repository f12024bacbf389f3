"""One bar over many runs."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

_REFRESH_S = 0.1


class Overview:
    """How far many runs are, and how long they will still take at the pace of this call.

    What a run had behind it when it began, in an earlier call, counts as done but not for the pace.

    Args:
        expected_s: of each run; only their proportions matter.
    """

    def __init__(self, expected_s: Sequence[float]) -> None:
        self._expected = [max(seconds, 1e-9) for seconds in expected_s]
        self._share = [0.0] * len(self._expected)
        self._begun_at: list[float | None] = [None] * len(self._expected)
        self.n_done = 0

    def begin(self, index: int, share: float) -> None:
        """A run begins with this share, in 0..1, behind it."""
        self._begun_at[index] = self._share[index] = share

    def advance(self, index: int, share: float) -> None:
        """A run has come this far."""
        self._share[index] = share

    def done(self, index: int) -> None:
        """A run is over; one that never began was over before."""
        if self._begun_at[index] is None:
            self._begun_at[index] = 1.0
        self._share[index] = 1.0
        self.n_done += 1

    @property
    def share(self) -> float:
        """Of all runs together, in 0..1."""
        done = sum(e * share for e, share in zip(self._expected, self._share, strict=True))
        return done / sum(self._expected)

    def left_s(self, elapsed_s: float) -> float | None:
        """Seconds still to go, `elapsed_s` after the first run began; None while there is no telling."""
        runs = zip(self._expected, self._share, self._begun_at, strict=True)
        here = sum(e * (share - begun) for e, share, begun in runs if begun is not None)
        return (1 - self.share) * sum(self._expected) * elapsed_s / here if here > 0 else None


class OverviewBar:
    """An overview as a bar; silent where stderr is no terminal."""

    def __init__(
        self, expected_s: Sequence[float], *, shown: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        console = Console(stderr=True)
        self._overview, self._n = Overview(expected_s), len(expected_s)
        self._clock = clock
        self._began_s: float | None = None
        self._next_s = 0.0
        self._bar = Progress(
            TextColumn("trained {task.fields[n_done]} of {task.fields[n]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("time left {task.fields[left]} {task.fields[latest]}"),
            console=console,
            transient=True,
            auto_refresh=False,
            disable=not (shown and console.is_terminal),
        )
        self._task = self._bar.add_task("", total=1.0, n_done=0, n=self._n, left="-:--:--", latest="")

    def begin(self, index: int, share: float) -> None:
        if self._began_s is None:
            self._began_s = self._clock()
        self._overview.begin(index, share)
        self.refresh()

    def advance(self, index: int, share: float, latest: str) -> None:
        """A run has come this far; `latest` is its news in few words."""
        self._overview.advance(index, share)
        self._bar.update(self._task, latest=latest)
        self.refresh()

    def done(self, index: int) -> None:
        self._overview.done(index)

    def refresh(self) -> None:
        """Show the present state, unless that was done a moment ago."""
        if self._bar.disable or (now := self._clock()) < self._next_s:
            return
        self._next_s = now + _REFRESH_S
        left_s = None if self._began_s is None else self._overview.left_s(now - self._began_s)
        left = "-:--:--" if left_s is None else str(timedelta(seconds=round(left_s)))
        n_done, share = self._overview.n_done, self._overview.share
        self._bar.update(self._task, completed=share, n_done=n_done, left=left)
        self._bar.start()
        self._bar.refresh()

    def hide(self) -> None:
        """Make room for lines that somebody else prints; the next refresh shows the bar again."""
        self._bar.stop()
        self._next_s = 0.0
