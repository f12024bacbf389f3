"""The examples run, and show what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def printed(name: str) -> str:
    command = [sys.executable, EXAMPLES / name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_tail_of_ones_own_answers() -> None:
    said = r"\d+ of 298 right; the tail was asked \d+ times, with \d+ bytes in all\n"
    assert re.fullmatch(said, printed("own_model.py"))


@pytest.mark.slow
def test_on_the_production_line_parts_come_back_and_are_thrown_out_and_none_is_left() -> None:
    said = printed("production_line.py")
    assert "thrown out" in said
    assert "back to the belt" in said
    gone, back = said.index("the link is gone"), said.index("the link is back")
    assert gone < back
    assert int(re.search(r"the link is back; (\d+) parts wait aside", said)[1]) > 20
    at_once, in_the_end = re.search(r"right at once ([\d.]+)%, right in the end ([\d.]+)%", said).groups()
    assert float(in_the_end) > float(at_once) > 80
    assert said.endswith("nothing is left aside\n")
