"""Accuracy against payload bytes per sample: every codec, and the chosen one at other thresholds."""

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from offramp.experiments.figures import svg
from offramp.experiments.payload.evidence import (
    AIMED_FACTOR,
    MAX_DROP_POINTS,
    MIN_FACTOR,
    Budgeted,
    PayloadEvidence,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Test accuracy against payload bytes per sample, mean over the seeds. Marks: every codec at the certified"
    " threshold, with its 95% interval of accuracy, filled; and small, were every sample sent. Line: the"
    " chosen codec at other thresholds. Dashed: always the tail, and only the exit; dotted: half a point"
    " under always the tail, and 500 and 1,000 times fewer bytes than the raw sample."
)


class _Style(NamedTuple):
    colour: str
    marker: str


# Told apart by people who see red and green alike, by their markers too.
_STYLES = {
    "float32": _Style("#1d232a", "o"),
    "float16": _Style("#5b6672", "s"),
    "int8": _Style("#2a4f9e", "^"),
    "int4": _Style("#4a9fd8", "v"),
    "int8-zeros": _Style("#b98b00", "P"),
    "int4-zeros": _Style("#d9822b", "X"),
    "int8-range": _Style("#7b3fa0", "D"),
    "int4-range": _Style("#14806f", "*"),
}
_SPARE = _Style("#a3acba", "h")  # of a codec without a style of its own
_GREY, _EXIT = "#6b7480", "#b5442e"


def payload_svg(evidence: PayloadEvidence) -> str:
    """The figure as an SVG document.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    height = 0.9 + 4.1 * len(evidence.budgets)
    return svg("payload", (9.6, height), partial(_draw, evidence=evidence))


def _draw(figure: "Figure", evidence: PayloadEvidence) -> None:
    budgets = evidence.budgets
    panels = figure.subplots(len(budgets), 1, squeeze=False)[:, 0]
    room = 0.95 / figure.get_figheight()  # for the legend
    figure.subplots_adjust(
        left=0.085, right=0.985, top=1 - room, bottom=0.5 / figure.get_figheight(), hspace=0.3
    )
    for axes, one in zip(panels, budgets, strict=True):
        _panel(axes, one)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="upper center", ncols=6, frameon=False)


def _panel(axes: "Axes", one: Budgeted) -> None:
    axes.set_xscale("log")
    x, y = zip(*one.curve(), strict=True)
    chosen = one.studied.choice.chosen.codec
    axes.plot(x, y, color=_style(chosen).colour, linewidth=1.4, alpha=0.8, zorder=2)
    for name in one.codec_names():
        _codec(axes, one, name)
    _references(axes, one)
    tail, lowest = one.of_runs(lambda run: run.tail_percent).mean, min(y)
    axes.set_ylim(lowest - 0.12 * (tail - lowest) - 0.05, tail + 0.12 * (tail - lowest) + 0.05)
    lowest_bytes = min(size for size in (*x, one.sample_bytes / AIMED_FACTOR) if size)
    axes.set_xlim(0.7 * lowest_bytes, 2 * max(one.sample_bytes, 4 * one.runs[0].n_sent))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title(f"{one.edge_parameters:,} parameters on the device", loc="left", fontsize=11)
    axes.set_ylabel("test accuracy, %")
    axes.set_xlabel("payload bytes per sample, averaged over all (log)")


def _codec(axes: "Axes", one: Budgeted, name: str) -> None:
    style = _style(name)
    system = one.of_codec(name, lambda codec: codec.system_percent)
    axes.errorbar(
        [one.of_codec(name, lambda codec: codec.bytes_per_sample).mean],
        [system.mean],
        yerr=system.margin or 0.0,
        color=style.colour,
        marker=style.marker,
        markersize=10 if style.marker == "*" else 6.5,
        elinewidth=0.9,
        capsize=2.5,
        linestyle="none",
        label=name,
        zorder=4,
    )
    axes.plot(
        [one.of_codec(name, lambda codec: codec.bytes_if_all).mean],
        [one.of_codec(name, lambda codec: codec.tail_percent).mean],
        color=style.colour,
        marker=style.marker,
        markersize=6 if style.marker == "*" else 4,
        fillstyle="none",
        linestyle="none",
        zorder=3,
    )


def _references(axes: "Axes", one: Budgeted) -> None:
    """Lines across: always the tail, only the exit, the targets; and the raw sample, answered by the tail."""
    tail = one.of_runs(lambda run: run.tail_percent).mean
    alone = one.of_runs(lambda run: run.exit_percent).mean
    axes.axhline(tail, color=_GREY, linestyle="--", linewidth=1, label="always the tail")
    axes.axhline(alone, color=_EXIT, linestyle="--", linewidth=1, label="only the exit")
    axes.axhline(tail - MAX_DROP_POINTS, color=_GREY, linestyle=":", linewidth=1.1)
    for factor in (MIN_FACTOR, AIMED_FACTOR):
        at = one.sample_bytes / factor
        axes.axvline(at, color=_GREY, linestyle=":", linewidth=1.1)
        place = axes.get_xaxis_transform()
        axes.text(at, 0.02, f" {factor:,}×", transform=place, rotation=90, color=_GREY, fontsize=9)
    axes.plot(
        [one.sample_bytes],
        [tail],
        color=_GREY,
        marker="D",
        markersize=8,
        fillstyle="none",
        linestyle="none",
        label="raw sample",
    )


def _style(name: str) -> _Style:
    return _STYLES.get(name, _SPARE)
