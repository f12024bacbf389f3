"""Pictures of an exit: can its confidence be believed, and what does each threshold give and risk."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from offramp.exits import Reliability
from offramp.report.svg import COLOURS, INK, RIGHT, WRONG, inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
_DASHED = (0, (4, 3))


def reliability_figure(name: str, diagrams: Mapping[str, Reliability]) -> str:
    """SVG: reliability diagrams side by side, each under its title; below them how many samples a bin has."""

    def draw(figure: "Figure") -> None:
        grid = figure.add_gridspec(2, len(diagrams), height_ratios=(3, 1), hspace=0.12, wspace=0.16)
        figure.subplots_adjust(left=0.105, right=0.98, bottom=0.13, top=0.9)
        upper: Axes | None = None
        for column, (title, one) in enumerate(diagrams.items()):
            upper = figure.add_subplot(grid[0, column], sharey=upper)
            _diagram(upper, one, f"{title}: ECE {100 * one.ece:.2f} points", first=column == 0)
            _counts(figure.add_subplot(grid[1, column], sharex=upper), one, first=column == 0)

    return inline_svg(f"reliability-{name}", (8.2, 4.8), draw)


def _diagram(axes: "Axes", one: Reliability, title: str, *, first: bool) -> None:
    filled = [
        (low, high - low, 100 * sure, 100 * right)
        for low, high, sure, right in zip(
            one.edges, one.edges[1:], one.confidence, one.accuracy, strict=False
        )
        if sure is not None and right is not None
    ]
    lefts, widths, sure, right = np.array(filled).T
    axes.bar(lefts, right, widths, align="edge", color=COLOURS[0], alpha=0.55, label="right answers")
    axes.bar(
        *(lefts, sure - right, widths, right),
        align="edge",
        facecolor="none",
        edgecolor=WRONG,
        hatch="///",
        linewidth=0,
        label="gap to the claim",
    )
    axes.plot([0, 1], [0, 100], color=INK, linestyle=_DASHED, linewidth=1, label="as claimed")
    axes.set_title(title, fontsize=11, loc="left")
    axes.set(xlim=(0, 1), ylim=(0, 100.5))
    axes.tick_params(labelbottom=False, labelleft=first)
    if first:
        axes.set_ylabel("right, %")
        axes.legend(loc="upper left", frameon=False, fontsize=9.5)


def _counts(axes: "Axes", one: Reliability, *, first: bool) -> None:
    widths = np.diff(one.edges)
    axes.bar(one.edges[:-1], one.counts, widths, align="edge", color=INK, alpha=0.4)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, 3 * max(one.counts))
    axes.set_yticks([0, 10, 1000], labels=["0", "10", "1,000"])
    axes.minorticks_off()
    axes.tick_params(labelleft=first)
    axes.set_xlabel("confidence claimed")
    if first:
        axes.set_ylabel("samples")


def threshold_figure(
    thresholds: Floats,
    accuracy: Floats,
    exit_rates: Mapping[str, Floats],
    *,
    chosen: float,
    tail_accuracy: float,
) -> str:
    """SVG: what the system would give at each threshold; the dashed line is the one in use.

    Args:
        thresholds: in [0, 1]; the axis stretches towards 1, where exits that are any good decide.
        accuracy: of the system at each, a share.
        exit_rates: shares of samples by who answers, at each.
        chosen: the threshold in use, above 1 where exits never answer.
        tail_accuracy: a share.
    """

    def draw(figure: "Figure") -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        figure.subplots_adjust(left=0.105, right=0.77, bottom=0.12, top=0.97, hspace=0.12)
        x = stretched(thresholds)
        upper.plot(x, 100 * accuracy, color=COLOURS[0], linewidth=2, label="system")
        upper.axhline(100 * tail_accuracy, color=COLOURS[1], linewidth=1.4, label="tail alone")
        upper.set_ylabel("accuracy, %")
        for index, (who, rate) in enumerate(exit_rates.items()):
            lower.plot(x, 100 * rate, color=COLOURS[2 + index % 3], linewidth=2, label=who)
        lower.set_ylabel("answered, %")
        lower.set_ylim(0, 103)
        lower.set_xlabel("threshold (stretched towards 1)")
        lower.set_xticks(stretched(_TICKS), labels=[f"{tick:g}" for tick in _TICKS])
        for axes in (upper, lower):
            if chosen <= 1:
                axes.axvline(stretched(np.array([chosen]))[0], color=INK, linestyle=_DASHED, linewidth=1.2)
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
        lower.set_xlim(0, max(x.max(), 1.0))

    return inline_svg("thresholds", (8.2, 5.0), draw)


_TICKS = np.array([0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999])


def stretched(thresholds: Floats) -> Floats:
    """Where a threshold stands on the axis: 0 at 0, 1 at 0.9, 2 at 0.99; 6 is the last."""
    places: Floats = -np.log10(np.maximum(1 - thresholds, 1e-6))
    return places


def risk_figure(
    exit_rate: Floats,
    risk: Floats,
    upper_bound: Floats,
    *,
    limit: float,
    chosen: tuple[float, float] | None,
    what: str,
    confidence: float,
) -> str:
    """SVG: the risk on the certifying samples and its upper confidence bound, against the exit rate.

    Args:
        exit_rate, risk, upper_bound: shares, one for each threshold.
        limit: the risk that was allowed.
        chosen: exit rate and risk at the certified threshold; None where none was.
        what: names the risk on the axis.
        confidence: of the bound.
    """

    def draw(figure: "Figure") -> None:
        axes = figure.add_axes((0.105, 0.14, 0.64, 0.82))
        order = np.argsort(exit_rate, kind="stable")
        x = 100 * exit_rate[order]
        axes.plot(x, 100 * risk[order], color=COLOURS[0], linewidth=2, label="on these samples")
        label = f"at most, with {100 * confidence:g}%"
        axes.plot(x, 100 * upper_bound[order], color=COLOURS[1], linewidth=2, label=label)
        axes.axhline(
            100 * limit, color=WRONG, linestyle=_DASHED, linewidth=1.2, label=f"allowed: {100 * limit:g}%"
        )
        if chosen is not None:
            rate, own = chosen
            axes.axvline(100 * rate, color=INK, linestyle=_DASHED, linewidth=1)
            axes.plot([100 * rate], [100 * own], "o", color=RIGHT, markersize=9, label="certified", zorder=4)
        axes.set_xlabel("samples that an exit answers, %")
        axes.set_ylabel(what)
        axes.set_xlim(0, 101)
        axes.set_ylim(*_risk_limits(100 * risk, 100 * limit))
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False)

    return inline_svg("risk", (8.2, 4.2), draw)


def _risk_limits(risk: Floats, limit: float) -> tuple[float, float]:
    """An axis on which the limit can be told from 0: bounds of thresholds far beyond it are cut off."""
    return min(0.0, 1.15 * float(risk.min())), 4 * limit
