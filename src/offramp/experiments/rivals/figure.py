"""Accuracy against parameters, method by method, and the differences from the published pattern."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from offramp.experiments.figures import scale_accuracy, scale_parameters, svg
from offramp.experiments.rivals.contenders import ALIKE, METHODS
from offramp.experiments.rivals.evidence import REFERENCE, Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Above, mean test accuracy against parameters with 95% intervals. Below, points more than `random`, each"
    " seed with itself, for the methods that have as many edges as the row. Marks of equal parameters stand"
    " side by side, around the place where they belong."
)


class _Style(NamedTuple):
    colour: str
    marker: str


# Told apart by people who see red and green alike, by their markers too.
_STYLES = {
    "random": _Style("#1d232a", "o"),
    "block": _Style("#14806f", "s"),
    "affine": _Style("#4a9fd8", "^"),
    "clash_free": _Style("#2a4f9e", "v"),
    "unstructured": _Style("#b98b00", "P"),
    "pruned": _Style("#d9822b", "X"),
    "rigl": _Style("#b5442e", "D"),
    "deep": _Style("#5b6672", "s"),
    "shallow": _Style("#a3acba", "^"),
    "pooled_sparse": _Style("#7b3fa0", "o"),
    "pooled_dense": _Style("#c58ae0", "s"),
}
_STEP = 0.032  # sideways from method to method, in natural logarithms of parameters


def comparison_svg(comparison: Comparison) -> str:
    """The figure as an SVG document.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    return svg("comparison", (9.6, 9.4), partial(_draw, comparison=comparison))


def _draw(figure: "Figure", comparison: Comparison) -> None:
    above, below = figure.subplots(2, 1, height_ratios=(1.25, 1))
    figure.subplots_adjust(left=0.085, right=0.985, bottom=0.06, top=0.91, hspace=0.2)
    _accuracies(above, comparison)
    _differences(below, comparison)
    for axes in (above, below):
        scale_parameters(axes, [run.parameters for run in comparison.runs])
    figure.legend(*above.get_legend_handles_labels(), loc="upper center", ncols=4, frameon=False)


def _accuracies(axes: "Axes", comparison: Comparison) -> None:
    rows = sorted(comparison.rows, key=lambda row: row.parameters)
    lowest, highest = [], []
    for name, style in _STYLES.items():
        is_baseline = METHODS[name].kind == "baseline"
        spreads = [comparison.accuracy(row, name) for row in rows]
        parameters = [comparison.runs_of(row, name)[0].parameters for row in rows]
        margins = [one.margin or 0.0 for one in spreads]
        axes.errorbar(
            _aside(parameters, name),
            [one.mean for one in spreads],
            # An interval may reach beyond 100%, where no accuracy is.
            yerr=[margins, [min(m, 99.5 - one.mean) for m, one in zip(margins, spreads, strict=True)]],
            color=style.colour,
            marker=style.marker,
            markersize=5,
            linewidth=1.2,
            elinewidth=1.0,
            capsize=2.5,
            linestyle=":" if is_baseline else "-",
            label=f"{name} (baseline)" if is_baseline else name,
        )
        lowest += [one.mean - margin for one, margin in zip(spreads, margins, strict=True)]
        highest += [one.mean for one in spreads]
    scale_accuracy(axes, min(lowest), max(highest))


def _differences(axes: "Axes", comparison: Comparison) -> None:
    axes.axhline(0, color=_STYLES[REFERENCE].colour, linewidth=1.0)
    for name in ALIKE[1:]:
        spreads = [comparison.difference(name, row) for row in comparison.rows]
        axes.errorbar(
            _aside([row.parameters for row in comparison.rows], name),
            [one.mean for one in spreads],
            yerr=[one.margin or 0.0 for one in spreads],
            color=_STYLES[name].colour,
            marker=_STYLES[name].marker,
            markersize=5,
            elinewidth=1.0,
            capsize=2.5,
            linestyle="none",
        )
    axes.set_ylabel("points more than random")


def _aside(parameters: Sequence[int], name: str) -> list[float]:
    """Where the marks of a method stand, so that equal numbers of parameters do not."""
    places = {"deep": -1, "shallow": 1} | {one: i - len(ALIKE) // 2 for i, one in enumerate(ALIKE)}
    place = places.get(name, 0)
    return [count * float(np.exp(place * _STEP)) for count in parameters]
