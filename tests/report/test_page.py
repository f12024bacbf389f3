import re
from html.parser import HTMLParser

import pytest

from offramp.errors import MissingDependencyError
from offramp.report import Result, html_page

LOADING = {"src", "href", "xlink:href", "srcset", "data", "action", "poster", "background"}
LOADING_TAGS = {"script", "link", "iframe", "img", "object", "embed", "video", "audio", "base"}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.cells: list[str] = []
        self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in LOADING]
        self.in_cell = tag == "td"

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.cells.append(data)


def test_the_page_loads_nothing(result: Result) -> None:
    text = html_page(result)
    page = Page(text)
    assert not LOADING_TAGS & set(page.tags)
    assert all(target.startswith("#") for target in page.loads)
    assert not re.search(r"@import|url\((?!#)", text)


def test_web_addresses_occur_only_as_names_of_xml_namespaces(result: Result) -> None:
    text = html_page(result)
    assert re.sub(r'xmlns(:\w+)?="[^"]*"', "", text).count("://") == 0


def test_the_page_has_every_row_with_its_figures(result: Result) -> None:
    cells = Page(html_page(result)).cells
    for mode in ("local", "remote", "split", "split+exit"):
        assert cells.count(mode) == 3
    assert cells.count("97.50") == 12
    assert cells.count("16,940") == 12 + 3  # modes, and costs of the networks


def test_the_page_has_a_row_for_each_network_and_the_networks_that_were_tried(result: Result) -> None:
    cells = Page(html_page(result)).cells
    assert cells.count("91.00 ± 1.00") == 3  # the exit alone
    assert cells.count("98.00 ± 1.00") == 3  # the tail alone
    assert cells.count("62.2 ± 9.6") == 3  # on the wire
    at = cells.index("dense, chosen")
    assert cells[at : at + 4] == ["dense, chosen", "64,24,10", "1,560", "95.50 ± 1.00"]


def test_text_of_a_result_cannot_become_markup(result: Result) -> None:
    text = html_page(result)
    assert "<script" not in text
    assert "sparse &lt;script&gt;" in text
    assert "One sample &lt;at&gt; a time." in text


def test_settings_and_environment_are_on_the_page(result: Result) -> None:
    cells = Page(html_page(result)).cells
    assert {"1,000,000", "64, 40, 10", "3.11.7"} <= set(cells)


def test_without_matplotlib_the_page_says_what_to_install(
    result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"matplotlib.*pip install 'offramp\[report\]'"):
        html_page(result)
