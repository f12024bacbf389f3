"""Violations against delta, and the exits that each way gives for them."""

from functools import partial
from typing import TYPE_CHECKING

from offramp.exits.guarantee import MEASURES
from offramp.experiments.certificates.study import Row, Study
from offramp.experiments.figures import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Left, the share of trials in which the risk is larger than eps, with 95% intervals, against delta"
    " (dashed); ways that promise nothing of the kind are hollow. Right, the share of samples that the exit"
    " answers, in the mean of the trials. Colours are eps."
)
# Told apart by people who see red and green alike, by their markers too.
_STYLES = (("#4a9fd8", "o"), ("#d9822b", "s"), ("#7b3fa0", "^"))
_ASIDE = 0.2  # of the distance between two ways, from eps to eps


def certificates_svg(study: Study) -> str:
    """The figure as an SVG document.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    n_ways = sum(len(_names(study, measure)) for measure in MEASURES)
    return svg("certificates", (9.8, 1.6 + 0.36 * n_ways), partial(_draw, study=study))


def _draw(figure: "Figure", study: Study) -> None:
    names = [_names(study, measure) for measure in MEASURES]
    panels = figure.subplots(len(MEASURES), 2, height_ratios=[len(one) for one in names], squeeze=False)
    bottom, top = 0.6 / figure.get_figheight(), 1 - 0.75 / figure.get_figheight()
    figure.subplots_adjust(left=0.2, right=0.985, bottom=bottom, top=top, wspace=0.06, hspace=0.24)
    highest = max(row.interval.high for row in study.rows)
    for measure, ways, (left, right) in zip(MEASURES, names, panels, strict=True):
        for place, name in enumerate(ways):
            rows = [row for row in study.rows if row.way.measure == measure and _name(row) == name]
            for index, row in enumerate(sorted(rows, key=lambda row: row.way.eps)):
                _mark(left, right, row, place + _ASIDE * (index - 1), index)
        left.axvline(100 * (1 - study.confidence), color="#1d232a", linestyle=(0, (4, 3)), linewidth=1.2)
        left.set_yticks(range(len(ways)), labels=ways)
        left.set_title(measure, loc="left", fontsize=11, fontweight="bold")
        left.set_xlim(-1, 100 * highest + 1)
        right.set_xlim(0, 100)
        for axes in (left, right):
            axes.set_ylim(len(ways) - 0.45, -0.55)
        right.tick_params(axis="y", labelleft=False)
        right.set_yticks(range(len(ways)))
    panels[-1, 0].set_xlabel("trials that violate the bound, %")
    panels[-1, 1].set_xlabel("samples that exit, %")
    _legend(figure, study)


def _mark(left: "Axes", right: "Axes", row: Row, place: float, index: int) -> None:
    colour, marker = _STYLES[index % len(_STYLES)]
    fill = "full" if row.way.promise == "probability" else "none"
    low, high = (100 * end for end in row.interval)
    share = 100 * row.share
    left.errorbar(
        share,
        place,
        xerr=[[max(0.0, share - low)], [high - share]],
        color=colour,
        marker=marker,
        markersize=4.5,
        fillstyle=fill,
        elinewidth=1.0,
        capsize=2.0,
    )
    right.plot(100 * row.exit_rate_mean, place, color=colour, marker=marker, markersize=4.5, fillstyle=fill)


def _legend(figure: "Figure", study: Study) -> None:
    from matplotlib.lines import Line2D

    risks = sorted({row.way.eps for row in study.rows})
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=f"eps {eps:.1%}")
        for eps, (colour, marker) in zip(risks, _STYLES, strict=False)
    ]
    delta = f"delta {1 - study.confidence:.0%}"
    handles.append(Line2D([], [], color="#1d232a", linestyle=(0, (4, 3)), label=delta))
    figure.legend(handles=handles, loc="upper center", ncols=4, frameon=False)


def _names(study: Study, measure: str) -> list[str]:
    return list(dict.fromkeys(_name(row) for row in study.rows if row.way.measure == measure))


def _name(row: Row) -> str:
    return f"{row.way.name} (default)" if row.way.name == "ltt" else row.way.name
