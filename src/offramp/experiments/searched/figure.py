"""Found networks and the paper's dense ones, accuracy against parameters."""

from functools import partial
from typing import TYPE_CHECKING

from offramp.experiments.figures import (
    COLOURS,
    MARKERS,
    NAMES,
    scale_accuracy,
    scale_parameters,
    svg,
)
from offramp.experiments.paper import Kind
from offramp.experiments.searched.evidence import Beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Mean test accuracy of the found networks with 95% intervals, and the paper's dense networks, against"
    " parameters. A thin line leads from each dense network to the one that was found for it."
)
_FOUND = "#14806f"


def found_svg(beside: Beside) -> str:
    """The figure as an SVG document.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    return svg("searched", (8.6, 5.2), partial(_draw, beside=beside))


def _draw(figure: "Figure", beside: Beside) -> None:
    axes = figure.add_axes((0.085, 0.11, 0.89, 0.865))
    axes.tick_params(axis="x", labelsize=10)  # the widest range of all figures
    _pairs(axes, beside)
    _dense(axes, beside)
    _found(axes, beside)
    spreads = [one.accuracy for one in beside.rows if one.runs]
    papers = [one.row.accuracy_percent for one in beside.rows]
    lowest = min([*papers, *(one.mean - (one.margin or 0) for one in spreads)])
    scale_accuracy(axes, lowest, max([*papers, *(one.mean for one in spreads)]))
    sizes = [find.network.parameters for find in beside.found]
    scale_parameters(axes, [*sizes, *(one.row.parameters for one in beside.rows)])
    axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none")


def _pairs(axes: "Axes", beside: Beside) -> None:
    for one in beside.rows:
        if one.find is not None:
            axes.plot(
                [one.row.parameters, one.find.network.parameters],
                [one.row.accuracy_percent, one.accuracy.mean],
                color="#8a94a6",
                linewidth=0.6,
                zorder=1,
            )


def _dense(axes: "Axes", beside: Beside) -> None:
    kinds: tuple[Kind, ...] = ("deep", "shallow")
    for kind in kinds:
        rows = [one.row for one in beside.rows if one.row.kind == kind]
        axes.plot(
            [row.parameters for row in rows],
            [row.accuracy_percent for row in rows],
            color=COLOURS[kind],
            marker=MARKERS[kind],
            markersize=8,
            fillstyle="none",
            linestyle="none",
            label=f"{NAMES[kind]}, paper",
            zorder=2,
        )


def _found(axes: "Axes", beside: Beside) -> None:
    found = {find: one.accuracy for one in beside.rows if (find := one.find) is not None}
    order = sorted(found, key=lambda find: find.network.parameters)
    spreads = [found[find] for find in order]
    margins = [one.margin or 0.0 for one in spreads]
    axes.errorbar(
        [find.network.parameters for find in order],
        [one.mean for one in spreads],
        # An interval may reach beyond 100%, where no accuracy is.
        yerr=[margins, [min(m, 99.5 - one.mean) for m, one in zip(margins, spreads, strict=True)]],
        color=_FOUND,
        marker="o",
        markersize=5,
        linestyle="none",
        elinewidth=1.2,
        capsize=3,
        label="found, ours",
        zorder=3,
    )
