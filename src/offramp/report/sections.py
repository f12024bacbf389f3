"""A page of sections, each with words, a table and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from offramp.report.page import render_page


@dataclass(frozen=True)
class Picture:
    """An svg element, and the words above and below it."""

    svg: str
    caption: str = ""
    title: str = ""


@dataclass(frozen=True)
class Section:
    """One heading of a page, and what is under it: words, then a table whose first row is its head."""

    heading: str
    paragraphs: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()
    figures: Sequence[Picture] = ()


def section_page(title: str, sections: Sequence[Section], *, command: str) -> str:
    """The page as HTML that loads nothing from elsewhere.

    Args:
        command: what to type for the same.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    return render_page(__package__, "sections.html.j2", title=title, sections=sections, command=command)
