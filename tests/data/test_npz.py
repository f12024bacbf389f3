import io
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.data import SPLITS, Dataset, load, unlabelled
from offramp.errors import DataError

X = np.arange(120, dtype=np.float64).reshape(40, 3)
Y = np.array(["no", "yes"])[np.arange(40) % 2]


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        path = tmp_path / "own.npz"
        np.savez(path, **({"x": X, "y": Y} | arrays))
        return path

    return write


def test_samples_and_labels_become_a_data_set_with_splits(save):
    data = load(save())
    assert data.name == "own"
    assert data.x.dtype == np.float32
    np.testing.assert_array_equal(data.x, X)
    assert data.classes == ("no", "yes")
    np.testing.assert_array_equal(np.array(data.classes)[data.y], Y)
    assert {name: len(index) for name, index in data.splits.items()} == {
        "train": 24,
        "validation": 4,
        "calibration": 4,
        "test": 8,
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [("uint8", "uint8"), ("int64", "float32"), ("float16", "float32"), ("float32", "float32")],
    ids=str,
)
def test_bytes_stay_bytes_and_other_numbers_become_float32(save, given, kept):
    data = load(save(x=X.astype(given).reshape(40, 3, 1)))
    assert data.x.dtype == kept
    assert data.shape == (3, 1)


def test_class_names_are_sorted_as_numbers_where_they_are_numbers(save):
    data = load(save(y=np.array([10, 9, -1, 10] * 10)))
    assert data.classes == ("-1", "9", "10")
    assert data.y[:4].tolist() == [2, 1, 0, 2]


def test_splits_that_are_given_are_taken(save):
    own = {name: np.array([i, i + 10], np.uint8) for i, name in enumerate(SPLITS)}
    data = load(save(**own))
    assert {name: index.tolist() for name, index in data.splits.items()} == {
        name: index.tolist() for name, index in own.items()
    }


def test_a_suffix_in_capitals_is_the_same(save):
    assert len(load(save().rename(save().with_suffix(".NPZ"))).y) == 40


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code from the file was run",))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X[:39]}, "own.npz: 39 samples in x and 40 labels in y; give one label a sample"),
        ({"x": X[:, 0]}, r"x is float64 \(40,\); give \(N, \*shape\)"),
        ({"x": X.astype(complex)}, "x is complex128 .*real numbers"),
        ({"x": X.astype(str)}, "x is <U32 .*real numbers"),
        ({"x": np.where(X == 7, np.nan, X)}, "own: sample 2 holds nan"),
        ({"x": np.where(X == 7, 1e39, X)}, "own.npz: sample 2 holds 1e\\+39, too large for float32; repair"),
        ({"y": Y[:, None]}, r"labels y are <U3 \(40, 1\); labels are \(N,\) integers or text"),
        ({"y": np.zeros(40)}, r"labels y are float64 \(40,\); labels are \(N,\) integers or text"),
        ({"y": np.zeros(40, int)}, "labels y hold '0' only; a classifier needs two classes or more"),
        ({"y": np.where(np.arange(40) == 5, "", Y)}, "labels y: sample 5 has no label"),
        ({"y": np.arange(40) == 0}, "class 'True' has 1 samples; four splits need at least 5"),
        ({"y": Y[:0], "x": X[:0]}, "labels y hold nothing only"),
        ({"z": X}, "own.npz: holds x, y, z; give x, y and, if you like, all of train, validation"),
        (
            {"train": np.arange(3)},
            "has the splits train; give all of train, validation, calibration, test, or none",
        ),
        ({name: np.arange(3) for name in SPLITS}, "own: sample 0 is used 4 times; splits must not overlap"),
        (
            {name: np.arange(3.0) for name in SPLITS},
            "split train is float64; give sample numbers, as integers",
        ),
        (
            {"y": np.array([Bomb()] * 40, object)},
            "own.npz: not a readable npz archive of plain arrays .*savez",
        ),
    ],
    ids=lambda value: value[:45] if isinstance(value, str) else "",
)
def test_arrays_that_cannot_be_used_are_refused(save, arrays, message):
    with pytest.raises(DataError, match=message):
        load(save(**arrays))


def test_an_archive_without_labels_is_refused(tmp_path):
    np.savez(tmp_path / "own.npz", x=X)
    with pytest.raises(DataError, match=r"own.npz: holds x; give x, y and"):
        load(tmp_path / "own.npz")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", pickle.dumps(Bomb()), b"PK\x05\x06" + b"\0" * 18],
    ids=["empty", "text", "pickle", "empty zip"],
)
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "own.npz").write_bytes(content)
    with pytest.raises(
        DataError, match=r"own.npz: (not a readable npz archive|no npz archive|holds nothing)"
    ):
        load(tmp_path / "own.npz")


def test_a_single_array_is_told_how_to_become_an_archive(tmp_path):
    with (tmp_path / "own.npz").open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(DataError, match=r"no npz archive; write it with numpy.savez\(path, x=..., y=...\)"):
        load(tmp_path / "own.npz")


@given(data=st.data(), compressed=st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_damage_is_one_error_or_a_data_set(data, compressed):
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, x=X, y=Y)
    content = bytearray(buffer.getvalue())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(0, 255))
    del content[data.draw(st.just(len(content)) | st.integers(0, len(content))) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "own.npz")
        path.write_bytes(content)
        try:
            assert isinstance(load(path), Dataset)
            message = ""
        except DataError as error:
            message = str(error)
    assert "\n" not in message


def test_samples_without_labels_are_read_from_an_archive_that_has_nothing_else(tmp_path):
    x = np.arange(12.0).reshape(3, 4)
    np.savez(tmp_path / "new.npz", x=x)
    found = unlabelled(tmp_path / "new.npz")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, x)


def test_what_may_have_labels_is_left_to_load(tmp_path):
    np.savez(tmp_path / "labelled.npz", x=np.zeros((3, 4)), y=np.zeros(3))
    assert unlabelled(tmp_path / "labelled.npz") is None
    assert unlabelled(tmp_path / "table.csv") is None
    assert unlabelled(tmp_path / "nowhere.npz") is None


def test_an_archive_of_no_samples_is_refused(tmp_path):
    np.savez(tmp_path / "none.npz", x=np.zeros((0, 4)))
    with pytest.raises(DataError, match=r"none.npz: x is float32 \(0, 4\); give one sample or more"):
        unlabelled(tmp_path / "none.npz")
