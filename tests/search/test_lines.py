"""The files that a search goes on from."""

from contextlib import closing
from pathlib import Path

import pytest

from offramp.errors import ConfigError, DataError
from offramp.search.lines import Lines


@pytest.mark.parametrize("torn", range(9))
def test_a_line_cut_off_anywhere_is_dropped(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b'{"a": 1}\n' + b'{"b": 2}\n'[:torn])
    lines = Lines(path)
    assert lines.all == [{"a": 1}]
    lines.add([{"c": (3, 4)}])
    lines.close()
    with closing(Lines(path)) as again:
        assert again.all == [{"a": 1}, {"c": [3, 4]}] == lines.all


def test_without_a_path_lines_are_in_memory_alone() -> None:
    lines = Lines(None)
    lines.add([{"c": (3, 4)}])
    assert lines.all == [{"c": [3, 4]}]
    lines.close()


def test_two_searches_cannot_have_one_folder(tmp_path: Path) -> None:
    first = Lines(tmp_path / "lines")
    with pytest.raises(ConfigError, match="lines: another search is at work on it; wait, or give another"):
        Lines(tmp_path / "lines")
    first.close()
    Lines(tmp_path / "lines").close()


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("{}\nnothing\n{}\n")
    with pytest.raises(DataError, match=r"lines: damaged \(Expecting value.*\); give another folder"):
        Lines(tmp_path / "lines")
