"""The paper's Figures 3, 4 and 5 from our runs, as files of their own: dark on white, no fonts needed."""

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from offramp.errors import MissingDependencyError
from offramp.experiments.evidence import Evidence, RowEvidence, bins
from offramp.experiments.paper import KINDS, Kind, PaperRow
from offramp.experiments.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by people who see red and green alike, by their markers too.
COLOURS: dict[Kind, str] = {"deep": "#d9822b", "shallow": "#7b6fb0", "sparse": "#14806f"}
MARKERS: dict[Kind, str] = {"deep": "s", "shallow": "^", "sparse": "o"}
NAMES: dict[Kind, str] = {"deep": "deep dense", "shallow": "shallow dense", "sparse": "sparse"}
_ACCURACIES = (10, 50, 60, 70, 80, 85, 90, 92, 94, 95, 96, 97, 98, 99)
_PARAMETERS = (600, 1000, 1600, 2500, 4000, 6000, 10_000, 16_000, 25_000, 35_000)
_STYLE: dict[Any, Any] = {
    "font.size": 11,
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "svg.fonttype": "path",
}


def figures(evidence: Evidence) -> dict[str, str]:
    """SVG documents by name: "figure3", "figure4" and "figure5", as far as there are rows for them.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    found = {}
    if (histogrammed := evidence.histogrammed()) is not None:
        row, run = histogrammed
        found["figure3"] = svg("figure3", (9.6, 3.3), partial(weight_histograms, row=row, run=run))
    for table, name in ((1, "figure4"), (2, "figure5")):
        if rows := [one for one in evidence.rows if one.row.table == table]:
            found[name] = svg(name, (8.2, 4.9), partial(accuracy_against_parameters, rows=rows))
    return found


def accuracy_against_parameters(figure: "Figure", rows: Sequence[RowEvidence]) -> None:
    """Accuracy of deep, shallow and sparse networks with 95% intervals, the paper's hollow beside ours."""
    axes = figure.add_axes((0.085, 0.115, 0.885, 0.855))
    for kind in KINDS:
        ours = sorted((one for one in rows if one.row.kind == kind), key=lambda one: one.row.parameters)
        if ours:
            _curves(axes, kind, ours)
    _scales(axes, rows)
    axes.legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none", ncols=2)


def weight_histograms(figure: "Figure", row: PaperRow, run: Run) -> None:
    """The weights of each junction of a dense network, all on one scale."""
    panels = np.atleast_1d(figure.subplots(1, len(run.histograms), sharex=True))
    figure.subplots_adjust(left=0.075, right=0.985, bottom=0.165, top=0.83, wspace=0.24)
    for index, (axes, histogram) in enumerate(zip(panels, run.histograms, strict=True)):
        centres, width = bins(histogram)
        shares = 100 * np.asarray(histogram.counts) / sum(histogram.counts)
        axes.bar(centres, shares, width=width, color=COLOURS["deep"])
        n_in, n_out = row.neurons[index : index + 2]
        axes.set_title(
            f"({'abcdefgh'[index]}) junction {index + 1}: {n_in} to {n_out}, {n_in * n_out:,} weights\n"
            f"{100 * histogram.near_zero:.0f}% within a tenth of its largest",
            fontsize=10,
        )
        axes.set_xlabel("weight")
    panels[0].set_ylabel("share of the weights, %")


def svg(name: str, size: tuple[float, float], draw: Callable[["Figure"], None]) -> str:
    """What `draw` draws on a figure of that size in inches, as an SVG document; the same gives the same text.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "figures need matplotlib, which is not installed; run: pip install 'offramp[report]'"
        ) from error
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=size)  # without pyplot: no window system, no global state
        draw(figure)
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _curves(axes: "Axes", kind: Kind, rows: Sequence[RowEvidence]) -> None:
    x = [one.row.parameters for one in rows]
    spreads = [one.accuracy for one in rows]
    axes.errorbar(
        x,
        [spread.mean for spread in spreads],
        # An interval may reach beyond 100%, where no accuracy is.
        yerr=[
            [spread.margin or 0.0 for spread in spreads],
            [min(spread.margin or 0.0, 99.5 - spread.mean) for spread in spreads],
        ],
        color=COLOURS[kind],
        marker=MARKERS[kind],
        markersize=5,
        linewidth=1.4,
        capsize=3.5,
        label=f"{NAMES[kind]}, ours",
        zorder=3,
    )
    axes.plot(
        x,
        [one.row.accuracy_percent for one in rows],
        color=COLOURS[kind],
        marker=MARKERS[kind],
        markersize=10,
        fillstyle="none",
        linestyle=(0, (2, 2.5)),
        linewidth=0.9,
        label=f"{NAMES[kind]}, paper",
        zorder=2,
    )


def _scales(axes: "Axes", rows: Sequence[RowEvidence]) -> None:
    lowest = min(
        min(one.row.accuracy_percent, one.accuracy.mean - (one.accuracy.margin or 0)) for one in rows
    )
    highest = max(max(one.row.accuracy_percent, one.accuracy.mean) for one in rows)
    scale_accuracy(axes, lowest, highest)
    scale_parameters(axes, [one.row.parameters for one in rows])


def scale_accuracy(axes: "Axes", lowest: float, highest: float) -> None:
    """The y axis for these per cents: logarithmic in the errors, so a step up is as many errors saved."""
    axes.set_yscale("function", functions=(_from_accuracy, _to_accuracy))
    axes.set_ylim(max(0.0, lowest - 0.15 * (100 - lowest)), min(99.9, highest + 0.25 * (100 - highest)))
    low, high = axes.get_ylim()
    axes.set_yticks([tick for tick in _ACCURACIES if low <= tick <= high])
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.set_ylabel("test accuracy, % (log of the errors)")


def scale_parameters(axes: "Axes", counts: Sequence[int]) -> None:
    """The x axis for these counts, logarithmic."""
    axes.set_xscale("log")
    axes.set_xlim(0.9 * min(counts), 1.12 * max(counts))
    ticks = [tick for tick in _PARAMETERS if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, labels=[f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("parameters (log)")


def _from_accuracy(percent: Any) -> Any:
    return -np.log(np.maximum(100 - np.asarray(percent, dtype=float), 1e-3))


def _to_accuracy(value: Any) -> Any:
    return 100 - np.exp(-np.asarray(value, dtype=float))
