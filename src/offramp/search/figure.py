"""The search as a picture: what was tried, and the front."""

import io
from math import sqrt
from typing import Any

import numpy as np

from offramp.errors import MissingDependencyError
from offramp.search.budget import Budget
from offramp.search.rounds import Found

_FLOOR = 0.1  # percent of errors below which all are alike: zero has no logarithm
_ACCURACIES = (0, 20, 40, 60, 70, 80, 85, 90, 92, 94, 95, 96, 97, 98, 98.5, 99, 99.5, 99.8, 100)
_TRIED, _FRONT, _LIMIT = "#8a94a6", "#d9822b", "#4a7ebb"


def margin(accuracy: float, n_samples: int) -> float:
    """Half the 95% interval (Wald's) of a share of right answers among so many samples."""
    return 1.96 * sqrt(accuracy * (1 - accuracy) / n_samples)


def pareto_png(found: Found, budget: Budget, *, title: str) -> bytes:
    """PNG: validation accuracy against parameters, of all networks tried and of the front.

    Raises:
        MissingDependencyError: without matplotlib.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "figures need matplotlib, which is not installed; run: pip install 'offramp[report]'"
        ) from error
    style: dict[Any, Any] = {
        "font.size": 11,
        "text.parse_math": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(8.6, 5.4), dpi=150, layout="constrained")  # no pyplot, no global state
        axes = figure.add_subplot()
        _tried(axes, found)
        _front(axes, found)
        _limits(axes, budget)
        axes.set(xlabel="parameters (log)", ylabel="validation accuracy, % (log of errors)", title=title)
        _scales(axes, found)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _tried(axes: Any, found: Found) -> None:
    for rank, epochs in enumerate(sorted({entry.last.epochs for entry in found.entries})):
        entries = [entry for entry in found.entries if entry.last.epochs == epochs]
        axes.plot(
            [entry.candidate.n_params for entry in entries],
            [100 * entry.last.accuracy for entry in entries],
            linestyle="none",
            marker="o",
            markersize=3.5 + 1.2 * rank,
            markeredgewidth=0,
            color=_TRIED,
            alpha=min(0.9, 0.45 + 0.2 * rank),
            label=f"tried for {epochs} epochs ({len(entries):,})",
        )


def _front(axes: Any, found: Found) -> None:
    sizes = [entry.candidate.n_params for entry in found.front]
    accuracies = [entry.last.accuracy for entry in found.front]
    axes.errorbar(
        sizes,
        [100 * accuracy for accuracy in accuracies],
        yerr=[100 * margin(accuracy, found.n_validation) for accuracy in accuracies],
        color=_FRONT,
        marker="o",
        markersize=6,
        linewidth=1.2,
        elinewidth=1.2,
        capsize=2.5,
        label=f"front, with 95% intervals ({len(sizes):,})",
    )


def _scales(axes: Any, found: Found) -> None:
    """Logarithms of parameters and of errors: halving either is as far everywhere."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [n * 10**power for power in range(9) for n in (1, 2, 3, 5) if low <= n * 10**power <= high]
    axes.set_xticks(ticks, labels=[f"{tick:,}" for tick in ticks])
    axes.set_yscale("function", functions=(_from_percent, _to_percent))
    # The whole front, its intervals too; of worse networks those that fit beside it.
    worst = min(
        entry.last.accuracy - margin(entry.last.accuracy, found.n_validation) for entry in found.front
    )
    best = max(entry.last.accuracy for entry in found.front)
    bottom, top = max(0.0, 100 * worst - 2), min(100.0, 100 - 70 * (1 - best))
    axes.set_ylim(bottom, top)
    axes.set_yticks([tick for tick in _ACCURACIES if bottom <= tick <= top])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()


def _from_percent(accuracy: Any) -> Any:
    return -np.log(100 + _FLOOR - np.minimum(accuracy, 100))


def _to_percent(place: Any) -> Any:
    return 100 + _FLOOR - np.exp(-place)


def _limits(axes: Any, budget: Budget) -> None:
    line = {"color": _LIMIT, "linestyle": (0, (4, 3)), "linewidth": 1.3}
    if budget.max_params is not None:
        axes.axvline(budget.max_params, label=f"at most {budget.max_params:,} parameters", **line)
    if budget.min_accuracy is not None:
        axes.axhline(100 * budget.min_accuracy, label=f"goal: {budget.min_accuracy:.2%}", **line)
