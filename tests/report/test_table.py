import io

import msgspec
import pytest
from rich.console import Console

from offramp.report import Result, networks_table, results_table
from offramp.report.table import megabytes, milliseconds


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


def test_a_network_s_line_has_time_memory_accuracies_exits_and_bytes(result: Result) -> None:
    text = io.StringIO()
    Console(file=text, width=150).print(networks_table(result.networks))
    line = next(line for line in text.getvalue().splitlines() if "small-dense" in line)
    figures = "64,40,10 100 1.2 1.23 91.00 ± 1.00 98.00 ± 1.00 97.00 ± 1.00 87.0 ± 2.0 62.2 ± 9.6"
    assert line.split()[1:] == figures.split()


def test_memory_that_the_system_does_not_tell_is_a_dash() -> None:
    assert megabytes(None) == "–"
    assert megabytes(1_239_000) == "1.24"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0000213, "0.021"), (0.00132, "1.32"), (0.0213, "21.3"), (0, "0.000")]
)
def test_milliseconds_keep_the_digits_that_matter(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text
