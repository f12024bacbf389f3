"""The figures of a result as SVG text: transparent, in the colour of the text around them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offramp.report.result import NetworkRecord, Result, Row
from offramp.report.svg import COLOURS, INK, RIGHT, WRONG, inline_svg

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODE_MARKERS = {"local": "s", "remote": "D", "split": "o", "split+exit": "*"}


def accuracy_against_bytes(result: Result) -> str:
    """SVG: accuracy of every network in every mode against its bytes per sample on the wire."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_axes((0.105, 0.13, 0.64, 0.83))
        networks = _ordered(row.network for row in result.rows)
        for index, network in enumerate(networks):
            rows = [row for row in result.rows if row.network == network]
            rows.sort(key=lambda row: row.wire_bytes_per_sample)
            axes.plot(*_points(rows), color=_colour(index), linewidth=1, alpha=0.45, zorder=2)
            for row in rows:
                axes.plot(*_points([row]), zorder=3, **_marker(row.mode, index))
        _bytes_axis(axes, result.rows)
        axes.set_ylabel("accuracy, %")
        axes.margins(y=0.12)
        _legend_of(axes, networks, _ordered(row.mode for row in result.rows))

    return inline_svg("accuracy", (8.2, 4.6), draw)


def confidence(network: NetworkRecord, *, colour: str = COLOURS[0]) -> str:
    """SVG: the exit's confidence where it is right and wrong, and what each threshold would give."""

    def draw(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.105, right=0.92, bottom=0.29, top=0.96, wspace=0.34)
        _histogram(left, network)
        _threshold_curves(right, network, colour)
        for axes in (left, right):
            axes.set_xlim(0, 1.005)
            axes.axvline(min(network.threshold, 1.0), color=INK, linestyle=(0, (4, 3)), linewidth=1.2)

    return inline_svg(f"confidence-{network.name}", (8.2, 3.5), draw)


def network_colour(result: Result, name: str) -> str:
    """The colour of a network, the same in every figure."""
    return _colour(_ordered(row.network for row in result.rows).index(name))


def threshold_sweep(network: NetworkRecord, thresholds: Sequence[float]) -> tuple[list[float], list[float]]:
    """Exit rate and accuracy that each threshold would have given on the streamed samples, as shares."""
    sure = np.asarray(network.confidence)[None, :] >= np.asarray(thresholds)[:, None]  # (thresholds, samples)
    correct = np.where(sure, np.asarray(network.exit_correct), np.asarray(network.tail_correct))
    return sure.mean(axis=1).tolist(), correct.mean(axis=1).tolist()


def _histogram(axes: "Axes", network: NetworkRecord) -> None:
    values, right = np.asarray(network.confidence), np.asarray(network.exit_correct, dtype=bool)
    axes.hist(
        [values[right], values[~right]],
        bins=np.linspace(0, 1, 21).tolist(),
        color=[RIGHT, WRONG],
        label=[f"exit right ({right.sum():,})", f"exit wrong ({(~right).sum():,})"],
        rwidth=0.9,
    )
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("confidence of the exit")
    axes.set_ylabel("samples (log)")
    _legend_below(axes)


def _threshold_curves(axes: "Axes", network: NetworkRecord, colour: str) -> None:
    thresholds = np.linspace(0, 1, 201).tolist()
    exit_rate, accuracy = threshold_sweep(network, thresholds)
    rate_axes = axes.twinx()
    rate_axes.spines["right"].set_visible(True)
    rate_axes.grid(False)
    rate_axes.plot(thresholds, [100 * share for share in exit_rate], color=INK, alpha=0.5, label="exit rate")
    rate_axes.set_ylabel("exit rate, %")
    rate_axes.set_ylim(0, 103)
    axes.plot(thresholds, [100 * share for share in accuracy], color=colour, linewidth=2, label="accuracy")
    axes.set_xlabel("threshold")
    axes.set_ylabel("accuracy, %")
    axes.set_zorder(rate_axes.get_zorder() + 1)
    axes.patch.set_visible(False)
    _legend_below(axes, [*axes.get_lines(), *rate_axes.get_lines()])


def _bytes_axis(axes: "Axes", rows: Sequence[Row]) -> None:
    """A logarithmic axis that has room for zero: a network that stays on the device sends nothing."""
    axes.set_xscale("symlog", linthresh=10, linscale=0.5)
    highest = max((row.wire_bytes_per_sample for row in rows), default=1.0)
    ticks = [0] + [10**power for power in range(1, 9) if 10**power <= 3 * highest]
    axes.set_xticks(ticks, labels=[f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(-2.5, 3 * max(highest, 10.0))
    axes.set_xlabel("bytes per sample on the wire (log above 10)")


def _legend_of(axes: "Axes", networks: Sequence[str], modes: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    def key(label: str, **style: Any) -> Line2D:
        return Line2D([], [], linestyle="none", label=label, **style)

    handles = [key("network")]
    handles += [key(name, **_marker("split", index)) for index, name in enumerate(networks)]
    handles.append(key("mode"))
    handles += [key(mode, **(_marker(mode, 1) | {"color": INK})) for mode in modes]
    legend = axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False)
    for text in legend.get_texts():
        if text.get_text() in ("network", "mode"):
            text.set_fontweight("bold")


def _legend_below(axes: "Axes", handles: Sequence["Artist"] | None = None) -> None:
    place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.24), "ncols": 2}
    axes.legend(handles=handles, frameon=False, **place)


def _marker(mode: str, index: int) -> dict[str, Any]:
    """How a mode of the network at `index` is drawn.

    The first two are hollow, and each is smaller than those before it: points at the same place lie in one
    another, and none hides another.
    """
    size = (15.0, 10.5, 7.0, 4.5, 3.0)[index % 5]
    return {
        "marker": MODE_MARKERS.get(mode, "x"),
        "markersize": 1.5 * size if mode == "split+exit" else size,
        "markeredgewidth": 1.8 if index < 2 else 0.5,
        "fillstyle": "none" if index < 2 else "full",
        "color": _colour(index),
    }


def _points(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [row.wire_bytes_per_sample for row in rows], [100 * row.accuracy for row in rows]


def _ordered(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]
