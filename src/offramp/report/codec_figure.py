"""Accuracy against bytes, for every codec."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from offramp.report.svg import COLOURS, INK, inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")


class CodecPoint(NamedTuple):
    """One codec: accuracies as shares, payload bytes a sample where all are sent and where exits answer."""

    name: str
    tail_accuracy: float
    bytes_if_all: float
    system_accuracy: float
    bytes_per_sample: float


def codec_figure(points: Sequence[CodecPoint]) -> str:
    """SVG: hollow the tail asked about every sample, filled the system whose exits answer first."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_axes((0.105, 0.13, 0.64, 0.83))
        for index, point in enumerate(points):
            style = _marker(index)
            n_bytes = point.bytes_per_sample, point.bytes_if_all
            accuracies = 100 * point.system_accuracy, 100 * point.tail_accuracy
            axes.plot(n_bytes, accuracies, color=style["color"], linewidth=0.8, alpha=0.35)
            axes.plot(n_bytes[1:], accuracies[1:], fillstyle="none", **style)
            axes.plot(n_bytes[:1], accuracies[:1], **style)
        _bytes_axis(axes)
        axes.set_ylabel("accuracy, %")
        axes.margins(0.08)
        _legend(axes, [point.name for point in points])

    return inline_svg("codecs", (8.2, 4.6), draw)


def _marker(index: int) -> dict[str, Any]:
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "markersize": 9,
        "linestyle": "none",
    }


def _bytes_axis(axes: "Axes") -> None:
    """A logarithmic axis that has room for zero: where exits answer everything nothing is sent."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    ticks = [0.0, *(digit * 10.0**power for power in range(7) for digit in (1, 2, 5))]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.set_xlabel("payload bytes per sample (log above 1)")


def _legend(axes: "Axes", names: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    def key(label: str, **style: Any) -> Line2D:
        return Line2D([], [], label=label, **style)

    plain = {"color": INK, "marker": "o", "markersize": 9, "linestyle": "none"}
    handles = [key(name, **_marker(index)) for index, name in enumerate(names)]
    handles += [key("exits answer first", **plain), key("every sample sent", fillstyle="none", **plain)]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False)
