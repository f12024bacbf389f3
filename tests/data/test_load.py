import os
import subprocess
import sys

import numpy as np
import pytest

from offramp.data import load
from offramp.errors import DataError, MissingDependencyError


def test_digits_come_with_scikit_learn():
    data = load("digits")
    assert data.x.shape == (1797, 8, 8)
    assert data.x.dtype == np.uint8
    assert data.x.max() == data.full_scale == 16
    assert data.classes == tuple("0123456789")
    assert data.digest("test") == "7a147a09926a664f0ed10be8cf6b4db96ea920c1ef41e9c8ce8240294a405052"
    assert load("digits", seed=1).digest("test") != data.digest("test")


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("imagenet", {}, "imagenet: no known data set; use digits, mnist or a .npz, .csv or .parquet file"),
        ("own.xlsx", {}, "own.xlsx: no known data set"),
        (
            "nowhere/own.csv",
            {"label": "y"},
            "own.csv: no such file; give digits, mnist or the path of an existing",
        ),
        ("nowhere/own.npz", {}, "own.npz: no such file"),
        ("digits", {"label": "y"}, "label='y' with digits; only .csv and .parquet files have a label column"),
        ("own.npz", {"label": "y"}, "label='y' with own.npz; only"),
        ("digits", {"seed": -1}, "seed=-1; use 0 or more"),
    ],
    ids=["unknown", "suffix", "missing csv", "missing npz", "label of digits", "label of npz", "seed"],
)
def test_a_source_that_is_none_is_refused(source, options, message):
    with pytest.raises(DataError, match=message):
        load(source, **options)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(
        MissingDependencyError, match=r"digits needs sklearn.*; pip install 'offramp\[data\]'"
    ):
        load("digits")


def test_without_pooch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delenv("OFFRAMP_DATA_DIR", raising=False)
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingDependencyError, match=r"downloading MNIST needs pooch, .*'offramp\[data\]'"):
        load("mnist")


def test_importing_data_imports_neither_torch_nor_any_optional_package():
    code = (
        "import sys, offramp.data; print(sorted({'torch', 'sklearn', 'pooch', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stdout == "[]\n"
