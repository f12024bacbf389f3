import gzip
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.data.idx import read_idx
from offramp.errors import DataError

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "array.idx"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_an_array_comes_back(data_workshop, file, pack):
    file.write_bytes(pack(data_workshop.idx_bytes(ARRAY)))
    np.testing.assert_array_equal(read_idx(file, n_dimensions=3), ARRAY)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: b"", "starts with nothing; an idx file of 3-dimensional bytes starts with 00000803"),
        (lambda d: b"\x93NUMPY", "starts with 934e554d"),
        (lambda d: d[:3] + b"\1" + d[4:], "starts with 00000801"),
        (lambda d: d[:2] + b"\x0d" + d[3:], "starts with 00000d03"),
        (lambda d: d[:9], "ends within its header; download or copy"),
        (lambda d: d[:-1], r"shape \(2, 3, 4\) needs 24 bytes, found 23; download or copy"),
        (lambda d: d + b"\0", "needs 24 bytes, found more"),
        (lambda d: d[:4] + b"\xff" * 12 + d[16:], "needs 79228162458924105385300197375 bytes, found 24"),
        (lambda d: d[:4] + b"\0" * 12, r"an array of shape \(0, 0, 0\)"),
        (lambda d: gzip.compress(d)[:-9], "broken gzip"),
        (lambda d: gzip.compress(d)[:10] + b"\xff" * 20, "broken gzip"),
        (lambda d: gzip.compress(d)[:5], "broken gzip"),
        (lambda d: gzip.compress(d)[:-1] + b"\7", "broken gzip"),
    ],
    ids=[
        "empty", "another format", "labels", "floats", "no sides", "truncated", "too long", "huge",
        "no values",
        "truncated gzip", "altered gzip", "gzip header only", "gzip of another length",
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_whole_idx_array_is_refused(data_workshop, file, spoil, message):
    file.write_bytes(spoil(data_workshop.idx_bytes(ARRAY)))
    with pytest.raises(DataError, match=rf"array.idx: .*{message}"):
        read_idx(file, n_dimensions=3)


def test_a_missing_file_is_named(file):
    with pytest.raises(DataError, match=r"array.idx: No such file or directory; give a folder"):
        read_idx(file, n_dimensions=3)


def test_a_small_gzip_of_many_zeros_is_not_unpacked_beyond_its_header(data_workshop, file):
    file.write_bytes(gzip.compress(data_workshop.idx_bytes(ARRAY) + bytes(1 << 24)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="needs 24 bytes, found more"):
            read_idx(file, n_dimensions=3)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(data=st.data(), zipped=st.booleans())
@settings(deadline=None)
def test_any_damage_is_one_error_or_an_array(data_workshop, data, zipped):
    content = bytearray(data_workshop.idx_bytes(ARRAY))
    if zipped:
        content = bytearray(gzip.compress(content, mtime=0))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(0, 255))
    del content[data.draw(st.just(len(content)) | st.integers(0, len(content))) :]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.idx")
        file.write_bytes(content)
        try:
            result = f"{file}: {read_idx(file, n_dimensions=3).shape}"
        except DataError as error:
            result = str(error)
    assert result.startswith(str(file))
