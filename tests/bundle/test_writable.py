from pathlib import Path

import pytest

from offramp.bundle import check_writable
from offramp.errors import BundleError


def test_a_new_name_in_a_folder_is_writable(tmp_path: Path) -> None:
    check_writable(tmp_path / "new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_to_nothing_is_in_the_way(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    with pytest.raises(BundleError, match=r"link: (exists already|not replaced, because it is no folder)"):
        check_writable(tmp_path / "link", overwrite=overwrite)


def test_a_parent_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="cannot be written: Not a directory; check the folder"):
        check_writable(tmp_path / "file" / "m")
