import errno
import os
import tempfile

import pytest

from offramp.errors import ToolchainError
from offramp.targets import scratch


def test_a_full_disk_behind_temporary_files_is_named():
    with pytest.raises(ToolchainError) as caught, scratch() as folder:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as write() has it, without a file
    place = tempfile.gettempdir()
    assert str(caught.value) == (
        f"temporary files in {place}: No space left on device; make room there, or set TMPDIR"
    )
    assert not folder.exists()


def test_an_error_that_names_its_file_stays():
    with pytest.raises(FileNotFoundError, match="absent"), scratch() as folder:
        (folder / "absent").read_bytes()
