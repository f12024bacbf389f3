import pytest
import typer

from offramp.cli import arguments
from offramp.cli.arguments import AUTO


def test_widths_degrees_and_blocks_read_as_they_are_written() -> None:
    assert arguments.widths("auto, 40,auto", "--it") == (AUTO, 40, AUTO)
    assert arguments.degrees("4,full,10", "--it") == (4, None, 10)
    assert arguments.numbers("", "--it") == ()
    assert arguments.numbers("32,16", "--it") == (32, 16)
    assert arguments.block("4X2", "--it") == (4, 2)
    assert arguments.count("all", "--it") is None
    assert arguments.count("20", "--it") == 20


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (arguments.widths, "64,,10", "'' is no whole number above 0"),
        (arguments.widths, "64,-3,10", "'-3' is no whole number above 0"),
        (arguments.degrees, "4,half", "'half' is no whole number above 0; write it as in 8,full"),
        (arguments.block, "4", "'4' is no block; write inputs x outputs, as in 4x4"),
        (arguments.block, "4x0", "'0' is no whole number above 0"),
        (arguments.count, "most", "'most' is no whole number above 0; write it as in 1000 or all"),
    ],
)
def test_what_cannot_be_read_is_shown_with_the_way_out(read, text: str, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(typer.BadParameter) as error:
        read(text, "--it")
    assert words in str(error.value)
    assert error.value.param_hint == "--it"
