import logging

import pytest

from offramp.errors import ConfigError
from offramp.runtime.security.watched import Watched, read_small


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    return path


def replace(path, content):
    made = path.with_suffix(".new")
    made.write_text(content)
    made.replace(path)


def read(path):
    content = read_small(path).decode()
    if content == "bad":
        raise ConfigError(f"{path}: bad; be good")
    return [content]


def test_it_is_the_same_object_until_the_file_changes(file, caplog):
    caplog.set_level(logging.INFO)
    watched = Watched([file], lambda: read(file))
    first = watched()
    assert first == ["old"]
    assert watched() is first
    replace(file, "new")
    assert watched() == ["new"]
    assert caplog.messages == [f"read again: {file}"]


def test_what_cannot_be_used_is_told_once_and_what_was_there_stays(file, caplog):
    watched = Watched([file], lambda: read(file))
    replace(file, "bad")
    assert [watched(), watched()] == [["old"], ["old"]]
    assert caplog.messages == [f"{file}: bad; be good; what was there before stays in use"]
    file.unlink()
    assert watched() == ["old"]
    assert "No such file or directory" in caplog.messages[1]
    replace(file, "new")
    assert watched() == ["new"]


def test_a_file_that_changes_while_it_is_read_is_read_once_more(file):
    changes = iter(["newer"])

    def slowly():
        content = read(file)
        if content == ["new"]:
            replace(file, next(changes))
        return content

    watched = Watched([file], slowly)
    replace(file, "new")
    assert watched() == ["old"]
    assert watched() == ["newer"]


def test_at_first_a_bad_file_is_an_error(file):
    file.write_text("bad")
    with pytest.raises(ConfigError, match=r"bad; be good$"):
        Watched([file], lambda: read(file))
