import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offramp.report import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain → ž 图", "plain → ž 图"),
        ("\x1b]0;owned\x07", r"\u001b]0;owned\u0007"),
        ("two\nlines", r"two\u000alines"),
        ("\x9b31m", r"\u009b31m"),
        ("a\u202eb", r"a\u202eb"),
    ],
    ids=["plain", "escape", "newline", "C1", "right to left"],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_json_stays_the_same_json(text: str) -> None:
    line = json.dumps(text, ensure_ascii=False)
    assert json.loads(printable(line)) == text
