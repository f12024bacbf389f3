import io

import msgspec
import pytest
from rich.console import Console

from offramp.report import Result, results_table
from offramp.report.table import milliseconds


def test_the_table_has_a_line_for_every_row(result: Result) -> None:
    text = io.StringIO()
    Console(file=text, width=150).print(results_table(result.rows))
    lines = [line for line in text.getvalue().splitlines() if "97.50" in line]
    assert len(lines) == 12
    assert sum(" split+exit " in line for line in lines) == 3


def test_a_network_is_named_once_in_the_table(result: Result) -> None:
    text = io.StringIO()
    Console(file=text, width=150).print(results_table(result.rows))
    assert text.getvalue().count("small-dense") == 1


def test_a_network_s_name_is_printed_as_it_is_and_tells_the_terminal_nothing(result: Result) -> None:
    text = io.StringIO()
    row = msgspec.structs.replace(result.rows[0], network="[bold]\x1b[2J")
    Console(file=text, width=150).print(results_table([row]))
    assert r"[bold]\u001b[2J" in text.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0000213, "0.021"), (0.00132, "1.32"), (0.0213, "21.3"), (0, "0.000")]
)
def test_milliseconds_keep_the_digits_that_matter(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text
