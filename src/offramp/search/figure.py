"""The search as a picture: what was tried, and the front."""

import io
from math import sqrt
from typing import Any

from offramp.errors import MissingDependencyError
from offramp.search.budget import Budget
from offramp.search.rounds import Found

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
        axes.set(xscale="log", xlabel="parameters (log)", ylabel="validation accuracy, %", title=title)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        low = min(entry.last.accuracy for entry in found.front)
        axes.set_ylim(bottom=max(0, 100 * low - 3))
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
            markersize=3 + 1.5 * rank,
            markeredgewidth=0,
            color=_TRIED,
            alpha=min(1.0, 0.35 + 0.25 * rank),
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


def _limits(axes: Any, budget: Budget) -> None:
    line = {"color": _LIMIT, "linestyle": (0, (4, 3)), "linewidth": 1.3}
    if budget.max_params is not None:
        axes.axvline(budget.max_params, label=f"at most {budget.max_params:,} parameters", **line)
    if budget.min_accuracy is not None:
        axes.axhline(100 * budget.min_accuracy, label=f"goal: {budget.min_accuracy:.2%}", **line)
