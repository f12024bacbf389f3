import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_runs_without_a_warning(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())
    if path.stem == "own_model":
        right, of, asked, _ = (int(number) for number in re.findall(r"\d+", done.stdout))
        assert right > 0.85 * of
        assert 0 < asked < of
    if path.stem == "production_line":
        assert done.stdout.index("the link is gone") < done.stdout.index("the link is back")
        at_once, in_the_end = map(float, re.findall(r"([\d.]+)%", done.stdout))
        assert 80 < at_once < in_the_end
        assert "thrown out" in done.stdout
        assert "back to the belt" in done.stdout
        assert done.stdout.endswith("nothing is left aside\n")
