import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from offramp.data import load
from offramp.errors import DataError, MissingDependencyError

COLUMNS = {
    "length": [0.5 * i for i in range(20)],
    "width": list(range(20)),
    "wet": [i % 3 == 0 for i in range(20)],
    "kind": ["bee", "ant"] * 10,
}


@pytest.fixture(params=["csv", "parquet"])
def save(request, tmp_path):
    """Writes a table in both formats; columns that are None are left out."""

    def write(**columns):
        table = {name: values for name, values in (COLUMNS | columns).items() if values is not None}
        path = tmp_path / f"own.{request.param}"
        if request.param == "parquet":
            pyarrow.parquet.write_table(pa.table(table), path)
        else:
            cells = [["" if v is None else str(v) for v in values] for values in table.values()]
            rows = [list(table), *zip(*cells, strict=True)]
            path.write_text("".join(",".join(row) + "\n" for row in rows))
        return path

    return write


def test_columns_become_features_in_their_order_and_the_label_column_classes(save):
    data = load(save(), label="kind")
    assert data.name == "own"
    assert data.x.dtype == np.float32
    np.testing.assert_array_equal(data.x, np.stack([COLUMNS[n] for n in ("length", "width", "wet")], axis=1))
    assert data.classes == ("ant", "bee")
    assert data.y.tolist() == [1, 0] * 10
    assert sum(len(index) for index in data.splits.values()) == 20


def test_a_suffix_in_capitals_is_the_same(save):
    path = save()
    assert len(load(path.rename(path.with_suffix(path.suffix.upper())), label="kind").y) == 20


def test_any_column_can_be_the_label(save):
    data = load(save(kind=None, width=[10, 9] * 10), label="width")
    assert data.classes == ("9", "10")
    assert data.x.shape == (20, 2)


@pytest.mark.parametrize(
    ("columns", "label", "message"),
    [
        ({}, None, "no label column named; give label= one of 'length', 'width', 'wet', 'kind'"),
        ({}, "species", "no column 'species'; give label= one of 'length', 'width', 'wet', 'kind'"),
        (
            {"kind": ["ant"] * 20},
            "kind",
            "labels in column 'kind' hold 'ant' only; a classifier needs two classes",
        ),
        ({}, "length", "label column 'length' is double; labels are integers or text"),
        (
            {"length": ["long"] * 20},
            "kind",
            "feature column 'length' is string, not numeric; turn it into numbers",
        ),
        (
            {"width": [None, 1] * 10},
            "kind",
            "column 'width' has no value in 10 rows, first in row 1; fill them in",
        ),
        (
            {"length": [0.5] * 19 + [float("inf")]},
            "kind",
            "column 'length' holds inf in row 20; repair or remove",
        ),
        (
            {"length": [0.5, 1e39] * 10},
            "kind",
            r"column 'length' holds 1e\+39 in row 2, too large for float32; repair",
        ),
        (
            {"kind": ["bee", "ant"] * 8 + ["cat"] * 4},
            "kind",
            "class 'cat' has 4 samples; four splits need at least 5",
        ),
        (
            {"kind": ["bee", "ant"] * 9 + ["bee", ""]},
            "kind",
            "labels in column 'kind': sample 19 has no label",
        ),
        (dict.fromkeys(("length", "width", "wet")), "kind", "0 feature columns, 20 rows"),
        ({name: [] for name in COLUMNS}, "kind", "3 feature columns, 0 rows"),
    ],
    ids=[
        "no label",
        "unknown label",
        "constant label",
        "label of reals",
        "text feature",
        "missing value",
        "infinite",
        "too large",
        "rare class",
        "empty label",
        "no features",
        "no rows",
    ],
)
def test_a_table_that_cannot_be_used_is_refused(save, columns, label, message):
    path = save(**columns)
    with pytest.raises(DataError, match=message):
        load(path, label=label)


def test_a_missing_label_is_refused_in_both_formats(save):
    path = save(kind=["bee", "ant"] * 9 + ["bee", None])
    with pytest.raises(
        DataError, match=r"column 'kind'(: sample 19 has no label| has no value in 1 rows, first in)"
    ):
        load(path, label="kind")


def test_nan_is_refused_in_both_formats(save):
    path = save(length=[0.5] * 4 + [float("nan")] + [0.5] * 15)
    with pytest.raises(
        DataError, match=r"column 'length' (holds nan in row 5|has no value in 1 rows, first in row 5)"
    ):
        load(path, label="kind")


def test_dictionaries_of_text_can_be_labels(tmp_path):
    table = pa.table(COLUMNS | {"kind": pa.array(COLUMNS["kind"]).dictionary_encode()})
    pyarrow.parquet.write_table(table, tmp_path / "own.parquet")
    assert load(tmp_path / "own.parquet", label="kind").classes == ("ant", "bee")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"not a readable .csv table \(.*\); write it again"),
        ("a,kind\n1,x\n2\n", r"not a readable .csv table \(.*Expected 2 columns, got 1.*\)"),
        ("\xff,kind\n1,x\n", r"not a readable .csv table \(.*utf-8.*\)"),
        ("a,a,kind\n1,2,x\n", "two columns are called 'a'; rename one"),
        ("a,kind\n\xff\xfe,x\n1,y\n", "own.csv: .*'a' is (string|binary), not numeric"),
    ],
    ids=["empty", "ragged", "a column name that is no text", "a name twice", "no text"],
)
def test_a_broken_csv_is_refused(tmp_path, text, message):
    (tmp_path / "own.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message):
        load(tmp_path / "own.csv", label="kind")


@pytest.mark.parametrize("keep", [0, 1, 8, -1, -100], ids=str)
def test_a_truncated_parquet_is_refused(tmp_path, keep):
    path = tmp_path / "own.parquet"
    pyarrow.parquet.write_table(pa.table(COLUMNS), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"own.parquet: not a readable .parquet table \(.*\); write it again"):
        load(path, label="kind")


def test_a_parquet_with_altered_pages_is_refused(tmp_path):
    path = tmp_path / "own.parquet"
    pyarrow.parquet.write_table(pa.table(COLUMNS), path)
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"own.parquet: not a readable .parquet table \(.*\); write it again"):
        load(path, label="kind")


def test_without_pyarrow_the_error_says_what_to_install(save, monkeypatch):
    path = save()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        MissingDependencyError, match=r"needs pyarrow, which is not installed; pip install 'offramp\[data\]'"
    ):
        load(path, label="kind")
