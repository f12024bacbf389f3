import hashlib

import numpy as np
import pytest

from offramp.data import SPLITS, Dataset
from offramp.errors import DataError


def make(**changes):
    splits = {name: np.array([2 * i, 2 * i + 1]) for i, name in enumerate(SPLITS)}
    fields = {
        "name": "toy",
        "x": np.arange(24, dtype=np.float32).reshape(8, 3),
        "y": np.arange(8) % 2,
        "classes": ("no", "yes"),
        "splits": splits | changes.pop("split", {}),
    }
    return Dataset(**(fields | changes))


def test_a_split_is_its_samples_and_labels():
    x, y = make().split("validation")
    assert x.tolist() == [[6, 7, 8], [9, 10, 11]]
    assert y.tolist() == [0, 1]
    assert make().shape == (3,)


def test_a_split_of_another_name_is_refused():
    with pytest.raises(
        DataError, match="no split is called 'dev'; use one of train, validation, calibration, test"
    ):
        make().split("dev")


def test_the_digest_is_over_raw_samples_and_labels_of_one_split():
    form = b"offramp split 1\nfloat32 (2, 3)\n"
    form += np.arange(6, dtype="<f4").tobytes() + np.array([0, 1], "<i8").tobytes()
    assert make().digest("train") == hashlib.sha256(form).hexdigest()


def test_the_digest_sees_samples_labels_and_their_order_but_no_other_split():
    digests = {make().digest(name) for name in SPLITS}
    assert len(digests) == 4
    changed = make().x.copy()
    changed[0, 0] = 9
    assert make(x=changed).digest("train") != make().digest("train")
    assert make(x=changed).digest("test") == make().digest("test")
    assert make(y=1 - make().y).digest("train") != make().digest("train")
    assert make(split={"train": np.array([1, 0])}).digest("train") != make().digest("train")


def holed(value):
    x = make().x.copy()
    x[3, 1] = value
    return x


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": make().x[:7]}, r"toy: x \(7, 3\) and y \(8,\) do not fit; give \(N, \*shape\) and \(N,\)"),
        ({"x": make().x[:, 0]}, r"toy: x \(8,\) and y \(8,\) do not fit"),
        ({"y": make().y[:, None]}, r"y \(8, 1\) do not fit"),
        ({"x": make().x[:0], "y": make().y[:0]}, "N > 0"),
        ({"x": make().x.astype(float)}, "x is float64, y is int64; give x as uint8 or float32"),
        ({"y": make().y.astype(np.int32)}, "y is int32; .*y as int64"),
        ({"y": make().y + 1}, r"labels 1..2 for 2 classes; labels are positions"),
        ({"y": make().y - 1}, r"labels -1..0 for 2 classes"),
        (
            {"y": make().y * 0, "classes": ("no",)},
            "for 1 classes; labels are positions in two classes or more",
        ),
        ({"x": holed(np.nan)}, "toy: sample 3 holds nan; remove or repair"),
        ({"x": holed(np.inf)}, "toy: sample 3 holds inf; remove or repair"),
        ({"splits": {}}, r"splits \[\]; give train, validation, calibration, test"),
        ({"split": {"test": np.array([6, 8])}}, r"split test names samples outside 0..7"),
        ({"split": {"test": np.array([-1])}}, r"split test names samples outside 0..7"),
        ({"split": {"test": np.array([0])}}, "sample 0 is used 2 times; splits must not overlap"),
        ({"split": {"test": np.array([6, 6])}}, "sample 6 is used 2 times"),
        (
            {"split": {"test": np.array([], np.int64)}},
            r"split test is int64 \(0,\); give sample numbers, one or more",
        ),
        ({"split": {"test": np.array([6.0])}}, r"split test is float64 \(1,\); give sample numbers"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_arrays_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        make(**changes)
