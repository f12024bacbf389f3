"""Figures as SVG text for a page: transparent, in the colour of the text around them."""

import hashlib
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from offramp.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Mid tones, readable on white and on near-black; told apart by people who see red and green alike.
COLOURS = ("#4a7ebb", "#d9822b", "#1f9e89", "#a05fb4", "#8a8a3a")
RIGHT, WRONG = "#1f9e89", "#d1495b"
INK = "#010203"  # stands for the page's text colour until the SVG is written


def inline_svg(name: str, size: tuple[float, float], draw: Callable[["Figure"], None]) -> str:
    """What `draw` draws on a figure of that size in inches, as an svg element for a page."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "figures need matplotlib, which is not installed; run: pip install 'offramp[report]'"
        ) from error

    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color")
    style: dict[Any, Any] = {
        "font.size": 11,
        "text.parse_math": False,  # a name is a name, whatever signs are in it
        "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
        "svg.hashsalt": name,  # the same result gives the same bytes
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.18,
        **dict.fromkeys(inked, INK),
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=size)  # without pyplot: no window system, no global state
        draw(figure)
        buffer = io.StringIO()
        no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=no_metadata)
    return _inline(buffer.getvalue(), prefix=hashlib.sha256(name.encode()).hexdigest()[:8])


def _inline(svg: str, *, prefix: str) -> str:
    """The svg element alone, its ids made unique on the page, its ink and font made the page's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="f{prefix}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\1f{prefix}-", svg)
    svg = re.sub(r"(font: [^;\"]*?px) [^;\"]*", r"\1 system-ui, sans-serif", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: system-ui, sans-serif", svg)
    head, body = svg.split(">", 1)
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)  # the page sets the width; viewBox the rest
    return f'{head} role="img">{body}'.replace(INK, "currentColor")
