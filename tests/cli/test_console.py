import io

import pytest
from rich.console import Console
from rich.table import Table

from offramp.cli import console


def table() -> Table:
    """Six columns, 60 wide."""
    made = Table("name", "mode", "a", "b", "c", "d", title="all")
    for number in range(3):
        made.add_row(f"n{number}", "split", *(f"{number}{column}345,678" for column in "1234"))
    return made


@pytest.mark.parametrize("width", [15, 30, 40, 60, 80, 200])
def test_no_width_of_a_terminal_cuts_a_cell(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = io.StringIO()
    monkeypatch.setattr(
        console, "out", Console(file=text, width=width, force_terminal=True, color_system=None)
    )
    console.print_wide(table())
    shown = text.getvalue()
    assert all(f"{number}{column}345,678" in shown for number in range(3) for column in "1234")
    assert "…" not in shown
    assert shown.count("all") == 1
    assert shown.count("name") == shown.count("mode") == {15: 4, 30: 4, 40: 2, 60: 2, 80: 1, 200: 1}[width]
    if width >= 30:
        assert max(map(len, shown.splitlines())) <= width


def test_cells_become_a_table_with_the_first_row_as_its_head() -> None:
    made = console.cells_table([["codec", "bytes"], ["int8[bold]", "1,234"], ["a\x07", "5"]])
    text = io.StringIO()
    Console(file=text, width=80).print(made)
    lines = [line.split() for line in text.getvalue().splitlines() if line.strip(" ─")]
    assert lines == [["codec", "bytes"], ["int8[bold]", "1,234"], ["a\\u0007", "5"]]
    assert [column.justify for column in made.columns] == ["left", "right"]


def test_lines_and_notes_tell_the_terminal_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_line("a\x1b[2J\nb")
    console.note("c\x07\nd")
    console.print_json_line({"class": "\x9b\x7f"})
    console.print_json({"class": "\x9b\x7f"})
    out, err = capsys.readouterr()
    assert out == (
        r"a\u001b[2J\u000ab"
        "\n"
        r'{"class":"\u009b\u007f"}'
        "\n{\n"
        r'  "class": "\u009b\u007f"'
        "\n}\n"
    )
    assert err == r"c\u0007\u000ad" + "\n"
