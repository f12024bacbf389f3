"""A page of sections."""

from html.parser import HTMLParser

from offramp.report import Picture, Section, section_page


class Page(HTMLParser):
    """Tags in order, and the text of each cell, heading and paragraph."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.tags[-1], data.strip()))


def page() -> Page:
    sections = [
        Section(
            "What is certified",
            paragraphs=["One <b>sentence</b>.", "Another."],
            table=[["exit", "ECE"], ["exit", "1.74"]],
        ),
        Section("Pictures", figures=[Picture("<svg></svg>", caption="Below.", title="Above")]),
    ]
    return Page(section_page("A & B", sections, command="offramp calibrate m"))


def test_everything_is_on_the_page_in_order() -> None:
    texts = [text for text in page().texts if text[0] not in ("style", "title")]
    assert texts == [
        ("h1", "A & B"),
        ("p", "Written by"),
        ("code", "offramp calibrate m"),
        ("code", "; every number on this page was measured by it."),
        ("h2", "What is certified"),
        ("p", "One <b>sentence</b>."),
        ("p", "Another."),
        ("th", "exit"),
        ("th", "ECE"),
        ("td", "exit"),
        ("td", "1.74"),
        ("h2", "Pictures"),
        ("h3", "Above"),
        ("figcaption", "Below."),
    ]


def test_pictures_are_markup_and_words_are_not() -> None:
    tags = page().tags
    assert tags.count("svg") == 1
    assert "b" not in tags


def test_the_page_loads_nothing() -> None:
    assert not {"script", "link", "iframe", "img", "object", "base"} & set(page().tags)
